import jwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken


class SignetAccessToken(AccessToken):
    """RFC 9068. SimpleJWT has looked at signature, alg, iss, aud, exp and jti by the time that it calls verify."""

    def verify(self) -> None:
        super().verify()
        if jwt.get_unverified_header(self.token).get("typ") != "at+jwt":
            raise TokenError("Not an access token")
        if not self.payload.get("client_id"):  # an ID token has none
            raise TokenError("Token has no client")
