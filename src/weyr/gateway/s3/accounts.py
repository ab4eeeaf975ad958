"""Which accounts are there, and whose is what? The two ways in which the plane knows its callers.

An account owns buckets and objects; a caller acts for one. Beside a stack there is a single account and its grants
say who may what in it (`OneAccount`). Served alone, each user is an account (`Users`).
"""

import json
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from weyr.core.grants import ADMIN, Principal
from weyr.gateway.credentials import Credentials

DEFAULT_USER = "admin"
_KEY = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns: `id` is what S3 calls the canonical user id."""

    id: str
    name: str
    email: str = ""


class Accounts(Protocol):
    """Where callers are looked up."""

    @property
    def are_many(self) -> bool:
        """Whether an object can belong to another account than its bucket."""

    @property
    def generation(self) -> int: ...

    @property
    def problem(self) -> str: ...

    def key(self, access_key_id: str) -> tuple[str, Principal] | None:
        """The secret that signs for this access key id and its owner, None where nobody has it."""

    def of(self, owner: str) -> Account:
        """The account of a caller's name, or of what is written as a bucket's owner."""

    def found(self, id_or_email: str) -> Account | None:
        """The account that a grant means."""


class OneAccount:
    """The plane beside a stack: everybody in credentials.json belongs to one account."""

    are_many = False

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._account = Account("weyr", "weyr")

    @property
    def generation(self) -> int:
        return self._credentials.generation

    @property
    def problem(self) -> str:
        return self._credentials.problem

    def key(self, access_key_id: str) -> tuple[str, Principal] | None:
        return self._credentials.key(access_key_id)

    def of(self, owner: str) -> Account:
        return self._account

    def found(self, id_or_email: str) -> Account | None:
        return self._account if id_or_email == self._account.id else None


@dataclass(frozen=True, slots=True)
class User:
    """One user of a plane that is served alone."""

    name: str
    access_key: str
    secret: str
    email: str = ""

    @classmethod
    def of(cls, text: str) -> "User":
        """Reads `NAME:ACCESS_KEY:SECRET`; the secret may hold colons. Raises: ValueError, never with the secret."""
        name, _, rest = text.strip().partition(":")
        access_key, _, secret = rest.partition(":")
        if not (name and secret) or not _KEY.fullmatch(access_key):
            raise ValueError(f"a user is NAME:ACCESS_KEY:SECRET, and that of {name!r} is not")
        return cls(name, access_key, secret, name if "@" in name else "")


class Users:
    """The plane served alone: each user is an account of its own, and may do in it what it likes.

    Raises: ValueError where two users share a name or an access key.
    """

    are_many = True
    generation = 1
    problem = ""

    def __init__(self, users: Iterable[User]) -> None:
        users = list(users)
        self._keys = {user.access_key: (user.secret, Principal(user.name, (ADMIN,))) for user in users}
        self._accounts = {user.name: Account(user.name, user.name, user.email) for user in users}
        self._by_email = {user.email: self._accounts[user.name] for user in users if user.email}
        if len(self._keys) != len(users) or len(self._accounts) != len(users):
            raise ValueError("each user needs a name and an access key of its own")

    def key(self, access_key_id: str) -> tuple[str, Principal] | None:
        return self._keys.get(access_key_id)

    def of(self, owner: str) -> Account:
        # Who is no longer a user still owns what it made.
        return self._accounts.get(owner) or Account(owner, owner)

    def found(self, id_or_email: str) -> Account | None:
        return self._accounts.get(id_or_email) or self._by_email.get(id_or_email)


def kept_user(path: Path) -> tuple[User, bool]:
    """The user that a plane makes where none is given: kept in `path`, mode 0600. Gives whether it is new.

    Raises: ValueError for a file that holds something else; OSError.
    """
    try:
        kept = json.loads(path.read_text())
        return User(kept["name"], kept["access_key"], kept["secret"]), False
    except FileNotFoundError:
        pass
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{path} holds no user: {e}") from e
    user = User(DEFAULT_USER, f"WEYR{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"name": user.name, "access_key": user.access_key, "secret": user.secret}, file)
        file.flush()
        os.fsync(file.fileno())
    return user, True
