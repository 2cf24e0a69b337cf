"""A service behind signet: it verifies access tokens offline, by the issuer's published keys, and has no users of its own."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "of no use here: this service signs nothing")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
ROOT_URLCONF = "api.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
DATABASES = {}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

ISSUER = os.environ.get("ISSUER", "http://localhost:8080")

SIMPLE_JWT = {
    "ALGORITHM": "ES256",  # one alone: SIGNET_ACCESS_ALG
    "JWK_URL": f"{ISSUER}/.well-known/jwks.json",
    "ISSUER": ISSUER,
    "AUDIENCE": os.environ.get("AUDIENCE", "https://api.example.com"),
    "LEEWAY": 30,
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": None,  # api.tokens looks at the header, where RFC 9068 puts it
    "AUTH_TOKEN_CLASSES": ["api.tokens.SignetAccessToken"],
}
