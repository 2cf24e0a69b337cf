// A service behind signet: it verifies access tokens offline, by the issuer's published keys.
import express from 'express';
import { requireToken } from './token.mjs';

const app = express();
app.disable('x-powered-by');

app.get('/public', (_request, response) => {
  response.json({ message: 'anybody may read this' });
});

app.get('/me', requireToken(), (request, response) => {
  const { sub, client_id, scope, roles = [] } = request.caller;
  response.json({ sub, client_id, scope, roles });
});

app.get('/reports', requireToken({ role: 'analyst' }), (request, response) => {
  response.json({ reports: ['for the eyes of an analyst'], sub: request.caller.sub });
});

const { HOST = '127.0.0.1', PORT = '8090' } = process.env;
const server = app.listen(Number(PORT), HOST, (error) => {
  if (error) throw error;
  console.log(`listening on http://${HOST}:${server.address().port}`);
});
