// A resource server of its own, as far as tokens go: it knows the issuer's URL and its own audience, and reads everything else
// from the issuer's metadata. A token a line on standard input, a JSON object a line on standard output.
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [issuer, audience, options] = process.argv.slice(2);
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), JSON.parse(options));
const expected = { issuer, audience, typ: 'at+jwt', algorithms: metadata.id_token_signing_alg_values_supported };

for await (const token of createInterface({ input: process.stdin })) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys, expected);
    console.log(JSON.stringify({ kid: protectedHeader.kid, sub: payload.sub }));
  } catch (e) {
    console.log(JSON.stringify({ error: `${e.code ?? e.name}: ${e.message}` }));
  }
}
