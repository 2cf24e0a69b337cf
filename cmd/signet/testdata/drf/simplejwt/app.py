"""A Django project that was written for SimpleJWT: of its settings only ALGORITHM and JWK_URL are set, and its users are where they were."""

import json
import os
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="of no use here: this service signs nothing",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    USE_TZ=True,
    SIMPLE_JWT={"ALGORITHM": "ES256", "JWK_URL": os.environ["ISSUER"] + "/.well-known/jwks.json"},
)
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command, execute_from_command_line  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import api_view, authentication_classes, permission_classes  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication  # noqa: E402
from rest_framework_simplejwt.settings import DEFAULTS, api_settings  # noqa: E402


class NewcomersToo(JWTAuthentication):
    """Who came along has the id that they had; who registered since gets a row at the first request, its username the sub."""

    def get_user(self, validated_token):
        sub = str(validated_token.get(api_settings.USER_ID_CLAIM, ""))
        if not sub or sub.isdecimal():
            return super().get_user(validated_token)
        user, _ = self.user_model.objects.get_or_create(username=sub, defaults={"password": make_password(None)})
        if not user.is_active:
            raise AuthenticationFailed("User is inactive", code="user_inactive")
        return user


@api_view(["GET"])
@authentication_classes([JWTStatelessUserAuthentication])
@permission_classes([IsAuthenticated])
def stateless(request):
    return Response({"id": str(request.user.id)})


@api_view(["GET"])
@authentication_classes([JWTAuthentication])
@permission_classes([IsAuthenticated])
def stateful(request):
    return Response({"id": str(request.user.id), "username": request.user.username})


@api_view(["GET"])
@authentication_classes([NewcomersToo])
@permission_classes([IsAuthenticated])
def everybody(request):
    return Response({"id": str(request.user.id), "username": request.user.username})


urlpatterns = [path("stateless", stateless), path("stateful", stateful), path("everybody", everybody)]

if __name__ == "__main__":
    if sys.argv[1] == "dump":  # the users of before, and what `manage.py dumpdata auth.user` writes of them
        call_command("migrate", verbosity=0)
        User.objects.create_user(id=42, username="ada", email="ada@example.org", password=os.environ["PASSWORD"], first_name="Ada")
        call_command("dumpdata", "auth.user", output=sys.argv[2], verbosity=0)
    elif sys.argv[1] == "settings":
        print(json.dumps(sorted(DEFAULTS)))
    else:
        execute_from_command_line(["app.py", "runserver", "--noreload", sys.argv[2]])
