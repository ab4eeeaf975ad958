"""As whom does a verb speak, and with which server? As the administrator of the data folder, or with a person's token.

A person's token is in WEYR_TOKEN, or was kept by `weyr login` in the data folder's logins.json, for its owner alone.
WEYR_API_URL says which server is meant, or the address of the last login does; a server that is only reached so is
neither started nor stopped.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from weyr.access.private_files import read_private, replace_private
from weyr.cli.place import Process, running
from weyr.core.diagnostic import Diagnostic, Place, UserError

TOKEN, URL = "WEYR_TOKEN", "WEYR_API_URL"
LOGIN = "weyr login"


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever the token is of, at one server. `told_by`: where the token comes from, in words."""

    url: str
    token: str = field(repr=False)
    told_by: str

    @property
    def server(self) -> Process:
        """The server as far as it is known from here: no process of this machine's that could be watched."""
        return Process("server", 0, 0, urlsplit(self.url).port or 0, self.url)

    def is_unknown(self) -> Diagnostic:
        """What to say where the server does not know the token."""
        again = f"{LOGIN} {self.url}" if self.told_by == LOGIN else f"unset {TOKEN}"
        detail = f"{self.url} does not know the token from {self.told_by}: it was revoked or replaced, or is another's."
        return Diagnostic("The server does not know this token", detail, suggestion=again)


@dataclass(frozen=True, slots=True)
class Logins:
    """The tokens that were kept, by the server's address, and the address that is spoken with; "" for none."""

    current: str = ""
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    def with_login(self, url: str, token: str) -> "Logins":
        return Logins(url, {**self.tokens, url: token})

    def without(self, url: str) -> "Logins":
        tokens = {known: token for known, token in self.tokens.items() if known != url}
        return replace(self, current="" if self.current == url else self.current, tokens=tokens)


def person_of(home: Path, environ: Mapping[str, str] = os.environ) -> Person | None:
    """Whose token a verb is to use; None: the administrator's of the data folder, if it can be read.

    What `weyr env` prints is the administrator's own, and changes nothing. Raises: UserError.
    """
    token, url = environ.get(TOKEN, "").strip(), environ.get(URL, "").strip()
    if token and token == _own(home):
        token = url = ""
    kept = logins_of(home)
    if token:
        server = running(home)
        address = url or kept.current or (server.url if server else "")
        if address:
            return Person(address_of(address), token, TOKEN)
        detail = f"{TOKEN} holds a token, and neither {URL} nor a login says of which server."
        raise UserError(Diagnostic("Which server?", detail, suggestion=f"export {URL}=http://HOST:PORT"))
    address = address_of(url) if url else ""
    address = address if address in kept.tokens else kept.current
    return Person(address, kept.tokens[address], LOGIN) if address else None


def logins_of(home: Path) -> Logins:
    """What was kept. Raises: UserError where it cannot be read, or where others could."""
    path = home / "logins.json"
    # What is no folder has no logins: that it is none is told by whoever needs the folder, in better words.
    content = read_private(path) if home.is_dir() else None
    if content is None:
        return Logins()
    try:
        told = json.loads(content)
        tokens = {str(url): str(token) for url, token in told["tokens"].items()}
        current = str(told["current"])
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        detail = f"{path} is not what {LOGIN} writes: {type(e).__name__}."
        problem = Diagnostic("Logins cannot be read", detail, place=Place(str(path)), suggestion=f"rm {path}")
        raise UserError(problem) from e
    return Logins(current if current in tokens else "", tokens)


def keep(home: Path, logins: Logins) -> None:
    """Raises: UserError where the folder cannot be written."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        detail = f"{home} cannot be made: {e.strerror}."
        raise UserError(Diagnostic("The login cannot be kept", detail, suggestion=f"ls -ld {home.parent}")) from e
    told = {"current": logins.current, "tokens": dict(logins.tokens)}
    replace_private(home / "logins.json", json.dumps(told, indent=1).encode())


def address_of(text: str) -> str:
    """A server's address as it is kept: scheme, host and port. Raises: UserError."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        port = None
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None or parts.path.strip("/"):
        detail = f"{text[:200]!r} is no server's address: it is written http://HOST:PORT."
        raise UserError(Diagnostic("Not an address", detail, suggestion=f"{LOGIN} http://127.0.0.1:8630"))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _own(home: Path) -> str:
    """The administrator's token, "" where it is not ours to read: then nobody here is the administrator."""
    try:
        return (home / "admin.token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
