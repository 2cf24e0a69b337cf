"""A service behind signet: it verifies access tokens offline, by the issuer's published keys."""

import os
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ISSUER = os.environ.get("ISSUER", "http://localhost:8080")
AUDIENCE = os.environ.get("AUDIENCE", "https://api.example.com")
ALGORITHMS = ["ES256", "RS256"]  # as the issuer's metadata names them; a key takes only its own of the two

# Fetched when first needed, when older than this, and, at most twice a minute, for a key that it has not seen. A key that was
# revoked is gone from here once the set is that old.
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=float(os.environ.get("JWKS_CACHE_SECONDS", "300")), timeout=10)

bearer = HTTPBearer(auto_error=False)
app = FastAPI()


def refusal(status: int, challenge: str) -> HTTPException:
    """RFC 6750, section 3."""
    return HTTPException(status, headers={"WWW-Authenticate": challenge})


# Not async: it may fetch keys, so FastAPI runs it beside the event loop.
def claims_of(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict[str, Any]:
    """The claims of the caller's access token, whose scope holds `account`."""
    if credentials is None:
        raise refusal(401, "Bearer")
    try:
        token = jwt.decode_complete(
            credentials.credentials,
            keys.get_signing_key_from_jwt(credentials.credentials),
            algorithms=ALGORITHMS,
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=30,
            options={"require": ["exp", "iss", "aud", "sub", "client_id"]},  # an ID token has no client_id
        )
    except jwt.PyJWKClientConnectionError as e:
        raise HTTPException(503) from e  # an issuer that can't be reached says nothing about the token
    except jwt.PyJWTError as e:
        raise refusal(401, 'Bearer error="invalid_token"') from e
    if token["header"].get("typ") != "at+jwt":
        raise refusal(401, 'Bearer error="invalid_token"')
    claims = token["payload"]
    if "account" not in claims.get("scope", "").split():
        raise refusal(403, 'Bearer error="insufficient_scope", scope="account"')
    return claims


Caller = Annotated[dict[str, Any], Depends(claims_of)]


def role(name: str):
    """A dependency that lets only callers with a role through."""

    def check(caller: Caller) -> dict[str, Any]:
        if name not in caller.get("roles", []):
            raise refusal(403, 'Bearer error="insufficient_scope"')
        return caller

    return Depends(check)


@app.get("/public")
def public() -> dict[str, Any]:
    return {"message": "anybody may read this"}


@app.get("/me")
def me(caller: Caller) -> dict[str, Any]:
    return {name: caller.get(name, []) for name in ("sub", "client_id", "scope", "roles")}


@app.get("/reports")
def reports(caller: Annotated[dict[str, Any], role("analyst")]) -> dict[str, Any]:
    return {"reports": ["for the eyes of an analyst"], "sub": caller["sub"]}
