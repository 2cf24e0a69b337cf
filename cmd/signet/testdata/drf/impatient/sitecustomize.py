"""SimpleJWT has no setting for how long its PyJWKClient keeps a set, which is five minutes. A test can not wait for that."""

import jwt


class Impatient(jwt.PyJWKClient):
    def __init__(self, uri):
        super().__init__(uri, lifespan=1)


jwt.PyJWKClient = Impatient
