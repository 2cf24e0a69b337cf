import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Member(AbstractBaseUser):
    """A user model of its own: ids are UUIDs, the address is the name to sign in with, and there is no is_active or is_staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    shoe_size = models.IntegerField(null=True)
    USERNAME_FIELD = "email"
