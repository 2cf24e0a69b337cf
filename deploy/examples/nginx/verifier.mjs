// The verifier that nginx asks (auth_request) before each request. GET /?role=NAME with the caller's Authorization header:
// 204 with X-User-Id, X-Client-Id, X-Scope and X-Roles, 401 with a challenge, 403, or 503 while the keys can't be had.
import { createServer } from 'node:http';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const { ISSUER = 'http://localhost:8080', AUDIENCE = 'https://api.example.com', JWKS_CACHE_SECONDS = '600', HOST = '127.0.0.1', PORT = '9100' } = process.env;

// Fetched when first needed, when older than this, and, at most twice a minute, for a key that it has not seen.
const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`), { cacheMaxAge: Number(JWKS_CACHE_SECONDS) * 1000 });

const expected = {
  issuer: ISSUER,
  audience: AUDIENCE,
  typ: 'at+jwt',
  algorithms: ['ES256', 'RS256'], // as the issuer's metadata names them; a key takes only its own of the two
  requiredClaims: ['sub', 'exp', 'client_id'], // an ID token has no client_id
  clockTolerance: 30,
};

// An issuer that can't be reached says nothing about the token.
const isAboutKeys = (error) =>
  !(error instanceof errors.JOSEError) || error.code === 'ERR_JWKS_TIMEOUT' || error.code === 'ERR_JOSE_GENERIC';

// judge is the status and the headers of the answer.
async function judge(authorization, role) {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (!token) return [401, { 'WWW-Authenticate': 'Bearer' }];
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(token, keys, expected));
  } catch (error) {
    return isAboutKeys(error) ? [503, {}] : [401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }];
  }
  const scope = String(claims.scope ?? '');
  const roles = Array.isArray(claims.roles) ? claims.roles : [];
  if (!scope.split(' ').includes('account') || (role && !roles.includes(role))) return [403, {}];
  return [204, { 'X-User-Id': claims.sub, 'X-Client-Id': claims.client_id, 'X-Scope': scope, 'X-Roles': roles.join(' ') }];
}

const server = createServer(async (request, response) => {
  const role = new URL(request.url, 'http://verifier').searchParams.get('role');
  const [status, headers] = await judge(request.headers.authorization ?? '', role);
  response.writeHead(status, headers).end();
});
server.listen(Number(PORT), HOST, () => console.log(`listening on http://${HOST}:${server.address().port}`));
