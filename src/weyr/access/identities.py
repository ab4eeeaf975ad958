"""Who may call? The administrator, by a token in a file, and tasks, by credentials issued to each.

The truth is in the database: tokens as hashes, S3 secrets sealed. `credentials.json` is what the data
planes read; it is written anew and whole before a change is reported as done, and at each start.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from weyr.access.credentials import IssuedCredentials, admin_credentials, text_of
from weyr.access.envelope import Random, envelope_of
from weyr.access.private_files import create_private, read_private, replace_private
from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.core.grants import ADMIN, Principal
from weyr.store import access as rows
from weyr.store.access import CredentialRow
from weyr.store.database import Database

ADMIN_NAME = "admin"
TOKEN_BYTES = 32
TOKEN_PREFIX = "weyr_"
"""Lets people and secret scanners recognise a token."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who has credentials, as it may be shown."""

    principal: Principal
    access_key_id: str
    issued_at: float


class Access:
    """Identities of one data folder.

    Takes: `now`, Unix seconds; `random`, so many random bytes; `is_published` False for who only reads beside
    whoever serves: `credentials.json` is left alone, and no token is known.
    Raises (on construction): UserError where the admin token or the master key cannot be used.
    Promises: what `issue` and `revoke` report as done is in the store and in `credentials.json`, and a kill undoes
    none of it. Neither waits for the disk: no task outlives a power cut, and whatever the store keeps later it
    never has without these. Safe in threads; one process per data folder.
    """

    def __init__(
        self, db: Database, home: Path, now: Callable[[], float], random: Random, is_published: bool = True
    ) -> None:
        self.envelope = envelope_of(db, home, random)
        self.admin = _admin(home / "admin.token", random)
        self._db, self._now, self._random = db, now, random
        self._file = home / "credentials.json"
        self._lock = threading.Lock()
        self._by_token: Mapping[str, Principal] = {}
        self._opened: dict[str, str] = {}
        if is_published:
            self._change(lambda _connection: True)

    def __repr__(self) -> str:
        return f"Access({self._file})"

    def issue(self, grants: Mapping[str, tuple[str, ...]]) -> Mapping[str, IssuedCredentials]:
        """New credentials for principals such as `task:digits:job/train#2`; those they had end with this.

        Takes the grants of each. All at once, for the file that the planes read is written whole each time.
        """
        assert ADMIN_NAME not in grants, "the administrator's token is made with the data folder"
        issued = {principal: self._drawn() for principal in grants}
        new = [self._row(principal, grants[principal], keys) for principal, keys in issued.items()]
        self._change(lambda connection: rows.put_credentials(connection, new))
        return issued

    def revoke(self, principals: Collection[str]) -> None:
        """Ends the credentials of principals; where they have none, nothing is changed."""
        if principals:
            self._change(lambda connection: rows.drop_credentials(connection, list(principals)))

    def authenticate(self, token: str) -> Principal | None:
        """Whose token this is; None if it is nobody's."""
        return self._by_token.get(_digest(token))

    def holders(self) -> tuple[Holder, ...]:
        """Everybody but the administrator who has credentials."""
        with self._db.read() as connection:
            found = rows.credential_rows(connection)
        return tuple(Holder(Principal(r.principal, r.grants), r.access_key_id, r.issued_at) for r in found)

    def _drawn(self) -> IssuedCredentials:
        return IssuedCredentials(
            token=TOKEN_PREFIX + text_of(self._random(TOKEN_BYTES)),
            access_key_id="WEYR" + base64.b32encode(self._random(10)).decode(),
            secret_access_key=text_of(self._random(30)),
        )

    def _row(self, principal: str, grants: tuple[str, ...], keys: IssuedCredentials) -> CredentialRow:
        sealed = self.envelope.seal(keys.secret_access_key.encode(), ("s3 key", keys.access_key_id))
        return CredentialRow(principal, grants, _digest(keys.token), keys.access_key_id, sealed, self._now())

    def _change(self, change: Callable[[Connection], bool]) -> None:
        """Makes a change that says whether it changed anything, and writes `credentials.json` if so."""
        # One lock around both, so that the files follow in the order of the changes.
        with self._lock:
            with self._db.write(is_synced=False) as connection:
                if not change(connection):
                    return
                generation = rows.next_generation(connection)
                found = rows.credential_rows(connection)
            self._publish(generation, found)

    def _publish(self, generation: int, found: Sequence[CredentialRow]) -> None:
        admin = Principal(ADMIN_NAME, (ADMIN,))
        principals = {ADMIN_NAME: admin, **{row.principal: Principal(row.principal, row.grants) for row in found}}
        tokens = {_digest(self.admin.token): ADMIN_NAME, **{row.token_sha256: row.principal for row in found}}
        keys = {self.admin.access_key_id: {"secret": self.admin.secret_access_key, "principal": ADMIN_NAME}}
        # Opened once each: a thousand tasks that end one by one would have them opened half a million times.
        self._opened = {row.access_key_id: self._opened.get(row.access_key_id) or self._open(row) for row in found}
        for row in found:
            keys[row.access_key_id] = {"secret": self._opened[row.access_key_id], "principal": row.principal}
        document = {
            "generation": generation,
            "principals": {name: {"grants": list(principal.grants)} for name, principal in principals.items()},
            "tokens": tokens,
            "keys": keys,
        }
        # On one line: an indented one is written by slow code.
        replace_private(self._file, json.dumps(document).encode())
        self._by_token = {digest: principals[name] for digest, name in tokens.items()}

    def _open(self, row: CredentialRow) -> str:
        return self.envelope.open(row.sealed_secret, ("s3 key", row.access_key_id)).decode()


def _admin(file: Path, random: Random) -> IssuedCredentials:
    """Reads the administrator's token, which is made if there is none. Raises: UserError."""
    content = read_private(file)
    if content is None:
        create_private(file, f"{TOKEN_PREFIX}{text_of(random(TOKEN_BYTES))}\n".encode())
        content = read_private(file) or b""
    token = content.decode(errors="replace").strip()
    if len(token) < TOKEN_BYTES or not token.isascii() or not token.isprintable() or " " in token:
        detail = f"{file} does not hold a token, one word of {TOKEN_BYTES} characters or more. Without it, one is made."
        raise UserError(
            Diagnostic("The admin token cannot be used", detail, place=Place(str(file)), suggestion=f"rm {file}")
        )
    return admin_credentials(token)


def _digest(token: str) -> str:
    # A plain hash is enough: a token is 32 random bytes, and cannot be guessed the way a password can.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
