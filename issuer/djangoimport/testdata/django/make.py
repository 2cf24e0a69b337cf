"""Writes the fixtures of this folder with Django itself: dumps of auth.user and of a custom user model, and a table, and the passwords in them.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python make.py . && venv/bin/python make.py . custom

Hashes are random, so that another run writes others of the same form. Work factors are low where Django lets them be set, and Django's own where
a user is named for it: the fixtures are verified in every run of the tests.
"""

import csv
import datetime
import io
import json
import pathlib
import sys
import uuid

import django
from django.conf import settings

OUT = pathlib.Path(sys.argv[1])
CUSTOM = len(sys.argv) > 2 and sys.argv[2] == "custom"
sys.dont_write_bytecode = True

settings.configure(
    SECRET_KEY="fixtures",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"] + (["members"] if CUSTOM else []),
    AUTH_USER_MODEL="members.Member" if CUSTOM else "auth.User",
    PASSWORD_HASHERS=[
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
        "django.contrib.auth.hashers.BCryptPasswordHasher",
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ],
)


django.setup()

from django.contrib.auth import hashers  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

passwords = {}
JOINED = datetime.datetime(2019, 3, 4, 5, 6, 7, 891234, tzinfo=datetime.timezone.utc)
SEEN = datetime.datetime(2024, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


def argon2i(password, salt):
    """As Django before 3.2 did."""
    import argon2

    raw = argon2.low_level.hash_secret(
        password.encode(), salt.encode(), time_cost=2, memory_cost=512, parallelism=2, hash_len=16, type=argon2.low_level.Type.I
    )
    return "argon2" + raw.decode("ascii")


class LightArgon2(hashers.Argon2PasswordHasher):
    time_cost, memory_cost, parallelism = 1, 64, 2


class LightBCrypt(hashers.BCryptPasswordHasher):
    rounds = 4


class LightBCryptSHA256(hashers.BCryptSHA256PasswordHasher):
    rounds = 5


def pbkdf2(hasher, iterations):
    return lambda password: hasher.encode(password, hasher.salt(), iterations)


def salted(hasher):
    return lambda password: hasher.encode(password, hasher.salt())


scrypt = hashers.ScryptPasswordHasher()

# name: how its password is hashed, the password
KINDS = {
    "pbkdf2_sha256": (pbkdf2(hashers.PBKDF2PasswordHasher(), 1200), "violet otter plays cello"),
    "pbkdf2_sha256_default": (salted(hashers.PBKDF2PasswordHasher()), "violet otter plays cello"),
    "pbkdf2_sha1": (pbkdf2(hashers.PBKDF2SHA1PasswordHasher(), 1000), "violet otter plays cello"),
    "argon2id": (salted(LightArgon2()), "violet otter plays cello"),
    "argon2id_default": (salted(hashers.Argon2PasswordHasher()), "violet otter plays cello"),
    "argon2i": (lambda password: argon2i(password, "seasaltseasalt"), "violet otter plays cello"),
    "bcrypt": (salted(LightBCrypt()), "violet otter plays cello"),
    "bcrypt_72": (salted(LightBCrypt()), "0123456789" * 7 + "ab"),
    "bcrypt_sha256": (salted(LightBCryptSHA256()), "violet otter plays cello"),
    "bcrypt_sha256_long": (salted(LightBCryptSHA256()), "0123456789" * 20),
    "scrypt": (lambda password: scrypt.encode(password, scrypt.salt(), n=16, r=1, p=1), "violet otter plays cello"),
    "scrypt_default": (salted(scrypt), "violet otter plays cello"),
    "unicode": (pbkdf2(hashers.PBKDF2PasswordHasher(), 1000), "пароль 密码 🐎 Zoë"),
    "decomposed": (pbkdf2(hashers.PBKDF2PasswordHasher(), 1000), "Zoe\u0308 et l'e\u0301te\u0301"),
    "decomposed_bcrypt": (salted(LightBCrypt()), "Zoe\u0308 et l'e\u0301te\u0301"),
    "decomposed_scrypt": (lambda password: scrypt.encode(password, scrypt.salt(), n=16, r=2, p=3), "Zoe\u0308 et l'e\u0301te\u0301"),
    "md5": (salted(hashers.MD5PasswordHasher()), "violet otter plays cello"),
}


def encoded(name):
    how, password = KINDS[name]
    passwords[name] = password
    stored = how(password)
    assert hashers.check_password(password, stored), name
    if name != "bcrypt_72":  # bcrypt before 5.0 cuts off what is beyond, and from 5.0 on refuses it
        assert not hashers.check_password(password + "x", stored), name
    return stored


def write(name, text):
    (OUT / name).write_text(text, encoding="utf-8")


def dump(name, *what, **how):
    out = io.StringIO()
    call_command("dumpdata", *what, stdout=out, **how)
    write(name, out.getvalue())


def auth_users():
    from django.contrib.auth.models import Group, User

    group = Group.objects.create(name="people")
    for name in KINDS:
        User.objects.create(username=name, email=f"{name}@Example.org", password=encoded(name), first_name="Zoe\u0308", last_name="O'Neill")
    User.objects.filter(username="unicode").update(is_staff=True, last_login=SEEN)
    User.objects.filter(username="scrypt").update(is_superuser=True, is_staff=True)
    User.objects.filter(username="argon2i").update(is_active=False)
    User.objects.get(username="unicode").groups.add(group)
    unusable = User(username="unusable", email="unusable@example.org")
    unusable.set_unusable_password()
    unusable.save()
    User.objects.create(username="Имя_用户", email="name@пример.example", password="")
    User.objects.create(username="nomail", email="", password=encoded("pbkdf2_sha256"))
    User.objects.create(username="twice", email="PBKDF2_SHA256@EXAMPLE.ORG", password="")
    User.objects.create(username="SCRYPT", email="other@example.org", password="")
    User.objects.update(date_joined=JOINED)
    dump("auth_user.json", "auth.user", indent=2)
    dump("auth_all.json", exclude=["contenttypes"])
    dump("auth_user.jsonl", "auth.user", format="jsonl")
    out = io.StringIO(newline="")
    fields = [f.column for f in User._meta.concrete_fields]
    table = csv.writer(out, lineterminator="\n")
    table.writerow(fields)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s FROM auth_user ORDER BY id" % ", ".join(fields))
        table.writerows(cursor.fetchall())
    write("auth_user.csv", out.getvalue())
    write("passwords.json", json.dumps(passwords, indent=1, ensure_ascii=True, sort_keys=True) + "\n")


def members():
    from members.models import Member

    with connection.schema_editor() as editor:
        editor.create_model(Member)
    for n, name in enumerate(("argon2id", "bcrypt_sha256")):
        Member.objects.create(id=uuid.UUID(int=(7 << 76) + (0x8 << 60) + n + 1), email=f"{name}@example.org", password=encoded(name), last_login=SEEN)
    dump("member.json", "members.Member")


if CUSTOM:
    members()
else:
    call_command("migrate", verbosity=0)
    auth_users()
