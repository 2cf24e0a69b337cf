import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const { ISSUER = 'http://localhost:8080', AUDIENCE = 'https://api.example.com', JWKS_CACHE_SECONDS = '600' } = process.env;

// Fetched when first needed, when older than this, and, at most twice a minute, for a key that it has not seen. A key that was
// revoked is gone from here once the set is that old.
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

// requireToken lets a caller through who has the scope `account` and, if one is named, the role, and puts the claims into
// request.caller. Challenges are RFC 6750, section 3.
export function requireToken({ role } = {}) {
  return async (request, response, next) => {
    const refuse = (status, challenge) => response.status(status).set('WWW-Authenticate', challenge).end();
    const [, token] = /^Bearer +(\S+)$/i.exec(request.get('Authorization') ?? '') ?? [];
    if (!token) return refuse(401, 'Bearer');
    let claims;
    try {
      ({ payload: claims } = await jwtVerify(token, keys, expected));
    } catch (error) {
      return isAboutKeys(error) ? response.status(503).end() : refuse(401, 'Bearer error="invalid_token"');
    }
    if (!String(claims.scope ?? '').split(' ').includes('account')) {
      return refuse(403, 'Bearer error="insufficient_scope", scope="account"');
    }
    if (role && !(Array.isArray(claims.roles) && claims.roles.includes(role))) {
      return refuse(403, 'Bearer error="insufficient_scope"');
    }
    request.caller = claims;
    next();
  };
}
