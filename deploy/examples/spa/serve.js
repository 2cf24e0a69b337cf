// A static server for development, with the headers that a real one should send too. It knows its files by name and serves nothing else.
//
//   node serve.js            http://localhost:5173, with the settings of config.json
//   SPA_ISSUER, SPA_API, SPA_COOKIES, SPA_PORT replace its issuer, api and cookies, and the port (0 takes a free one)

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', json: 'application/json', svg: 'image/svg+xml' };
const FILES = ['index.html', 'app.css', 'app.js', 'account.js', 'forms.js', 'signet-client.js', 'seal.svg'];

/** What pages may do: load what lies beside them, and talk to the issuer and the API. No inline script or style, nothing that makes HTML of text. */
export const policy = ({ issuer, api }) => [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", `connect-src 'self' ${[issuer, api].filter(Boolean).join(' ')}`,
  "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
].join('; ');

/** Serves the app. Answers the server once it listens. */
export function serve(config, port = 0) {
  const headers = {
    'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Resource-Policy': 'same-origin', 'Cache-Control': 'no-cache',
  };
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname.slice(1) || 'index.html';
    const reply = (status, type, body) => response.writeHead(status, { ...headers, 'Content-Security-Policy': policy(config), 'Content-Type': type }).end(request.method === 'HEAD' ? undefined : body);
    if (request.method !== 'GET' && request.method !== 'HEAD') return reply(405, 'text/plain', 'method not allowed');
    if (name === 'config.json') return reply(200, TYPES.json, JSON.stringify(config));
    if (!FILES.includes(name)) return reply(404, 'text/plain', 'not found');
    reply(200, TYPES[name.split('.').at(-1)], await readFile(new URL(name, import.meta.url)));
  });
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, 'localhost', () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { SPA_ISSUER, SPA_API, SPA_COOKIES, SPA_PORT = '5173' } = process.env;
  const config = JSON.parse(await readFile(new URL('config.json', import.meta.url), 'utf8'));
  if (SPA_ISSUER) config.issuer = SPA_ISSUER;
  if (SPA_API) config.api = SPA_API;
  if (SPA_COOKIES) config.cookies = SPA_COOKIES === 'true';
  const server = await serve(config, Number(SPA_PORT));
  console.log(`http://localhost:${server.address().port}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { server.close(); server.closeAllConnections(); });
}
