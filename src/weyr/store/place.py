"""Which store does a data folder use? Its own SQLite file, or a PostgreSQL that it was told once and remembers.

Light, and without a database's driver: a server's start begins here.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from weyr.core.diagnostic import Diagnostic, UserError

FILE = "store.json"
SECRETS = frozenset({"password", "sslpassword"})
"""What libpq takes as a parameter and nobody may read."""


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The address of a store in PostgreSQL. Printed, it has no password; `secret_text` has."""

    secret_text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "PostgresUrl":
        """Raises: UserError for what is no such address, without repeating it: a password may be in it."""
        try:
            split = urlsplit(text)
            is_good = split.scheme in ("postgresql", "postgres") and bool(split.path.strip("/") or split.query)
            _ = split.port
        except ValueError:
            is_good = False
        if not is_good:
            detail = "A store is postgresql://USER@HOST:PORT/DATABASE, or left out for a file in the data folder."
            suggestion = "weyr server start --store postgresql://weyr@127.0.0.1/weyr"
            raise UserError(Diagnostic("The store's address cannot be read", detail, suggestion=suggestion))
        return cls("postgresql:" + text.partition(":")[2])

    def __str__(self) -> str:
        split = urlsplit(self.secret_text)
        user, at, host = split.netloc.rpartition("@")
        name, colon, _ = user.partition(":")
        query = urlencode(
            [(k, "***" if k in SECRETS else v) for k, v in parse_qsl(split.query)], safe="*/", quote_via=quote
        )
        return urlunsplit((split.scheme, f"{name}{':***' if colon else ''}{at}{host}", split.path, query, ""))


def store_place(home: Path, given: str = "") -> Path | PostgresUrl:
    """Where the store of a data folder is: as given, else as remembered, else its own file.

    Raises: UserError for an address that cannot be read.
    """
    text = given or _remembered(home)
    return PostgresUrl.parse(text) if text else home / "store.db"


def remember_store(home: Path, place: Path | PostgresUrl) -> None:
    """Keeps the address for later commands, for the folder's owner alone: a password may be in it."""
    text = place.secret_text if isinstance(place, PostgresUrl) else ""
    if text == _remembered(home):
        return
    temporary = home / f".{FILE}.{os.getpid()}.tmp"
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump({"store": text}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, home / FILE)


def _remembered(home: Path) -> str:
    try:
        return str(json.loads((home / FILE).read_text())["store"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as e:
        # Going on with an empty file beside the real store would look as if everything were lost.
        detail = f"{home / FILE} says where the store is, and cannot be read: {type(e).__name__}."
        suggestion = "weyr server start --store postgresql://USER@HOST/DATABASE"
        raise UserError(Diagnostic("The store's address cannot be read", detail, suggestion=suggestion)) from e
