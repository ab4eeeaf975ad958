"""How is a value kept so that the database alone does not give it away? AES-256-GCM, in an envelope.

Each value has a key of its own, which the master key wraps. The master key lies in a file beside the
database (`<home>/keys/master`, 0600), so a copy of the database opens nothing. What a value is bound
to (its stack, name and version) is authenticated with it: a value moved to another row does not open.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weyr.access.private_files import create_private, read_private
from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.store import access as rows
from weyr.store.database import Database

KEY_BYTES = 32
NONCE_BYTES = 12

Random = Callable[[int], bytes]
Bound = tuple[str | int, ...]


class Envelope:
    """Seals and opens values. `keys` are master keys by id: new values take `current`, old ones open with theirs."""

    def __init__(self, keys: Mapping[str, bytes], current: str, random: Random, file: Path) -> None:
        assert current in keys, "the current key must be one of the keys"
        self._keys = dict(keys)
        self._current = current
        self._random = random
        self._file = file

    def __repr__(self) -> str:
        return f"Envelope(keys={sorted(self._keys)}, current={self._current!r})"

    def seal(self, value: bytes, bound_to: Bound) -> bytes:
        """The value, sealed so that it opens only for the same `bound_to`."""
        data_key = self._random(KEY_BYTES)
        sealed = {
            "key": self._current,
            "wrapped": self._encrypt(self._keys[self._current], data_key, _label("data key", bound_to)),
            "value": self._encrypt(data_key, value, _label("value", bound_to)),
        }
        return json.dumps(sealed).encode()

    def open(self, sealed: bytes, bound_to: Bound) -> bytes:
        """The value that was sealed for `bound_to`.

        Raises: UserError where the master key is missing or another one, or the sealed text was changed.
        """
        try:
            fields = json.loads(sealed)
            key_id, wrapped, value = str(fields["key"]), b64decode(fields["wrapped"]), b64decode(fields["value"])
        except (ValueError, KeyError, TypeError) as e:
            raise UserError(self._damaged(bound_to)) from e
        if key_id not in self._keys:
            raise UserError(self._other_key(bound_to, key_id))
        try:
            data_key = _decrypt(self._keys[key_id], wrapped, _label("data key", bound_to))
            return _decrypt(data_key, value, _label("value", bound_to))
        except (InvalidTag, ValueError) as e:
            raise UserError(self._damaged(bound_to)) from e

    def _encrypt(self, key: bytes, text: bytes, label: bytes) -> str:
        nonce = self._random(NONCE_BYTES)
        return b64encode(nonce + AESGCM(key).encrypt(nonce, text, label)).decode()

    def _damaged(self, bound_to: Bound) -> Diagnostic:
        what = "/".join(str(part) for part in bound_to)
        detail = f"The sealed value of {what} was changed, or belongs to something else: it does not open with its key."
        return Diagnostic("A sealed value does not open", detail, suggestion="set the value again, or restore store.db")

    def _other_key(self, bound_to: Bound, key_id: str) -> Diagnostic:
        what = "/".join(str(part) for part in bound_to)
        detail = f"{what} was sealed with master key {key_id}; {self._file} holds {', '.join(sorted(self._keys))}."
        return Diagnostic(
            "The master key is another one", detail, place=Place(str(self._file)), suggestion=f"restore {self._file}"
        )


def envelope_of(db: Database, home: Path, random: Random) -> Envelope:
    """The envelope of a data folder; its master key is made on the first start.

    Raises: UserError where the key is missing although values were sealed with it, is not private, or
    is damaged. A new key is never made over sealed values: they would seem to be lost.
    """
    file = home / "keys" / "master"
    text = read_private(file)
    if text is None:
        with db.read() as connection:
            sealed = rows.sealed_count(connection)
        if sealed:
            raise UserError(_missing(file, sealed))
        create_private(file, _written(random(KEY_BYTES)))
        text = read_private(file)
        assert text is not None, "the master key was made or was there"
    return _parsed(text, random, file)


def _label(purpose: str, bound_to: Bound) -> bytes:
    return json.dumps(["weyr", purpose, *bound_to]).encode()


def _decrypt(key: bytes, sealed: bytes, label: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], label)


def _id_of(key: bytes) -> str:
    """A key's id is its fingerprint, so that a key in the wrong place is noticed before it is used."""
    return hashlib.sha256(b"weyr master key" + key).hexdigest()[:12]


def _written(key: bytes) -> bytes:
    return json.dumps({"current": _id_of(key), "keys": {_id_of(key): b64encode(key).decode()}}).encode() + b"\n"


def _parsed(text: bytes, random: Random, file: Path) -> Envelope:
    try:
        fields = json.loads(text)
        keys = {str(id): b64decode(key, validate=True) for id, key in fields["keys"].items()}
        current = str(fields["current"])
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(_unusable(file)) from e
    if current not in keys or any(len(key) != KEY_BYTES or _id_of(key) != id for id, key in keys.items()):
        raise UserError(_unusable(file))
    return Envelope(keys, current, random, file)


def _missing(file: Path, sealed: int) -> Diagnostic:
    detail = f"{file} is gone, and {sealed} values in the database are sealed with the key it held."
    return Diagnostic(
        "The master key is missing", detail, place=Place(str(file)), suggestion=f"restore {file} from a backup"
    )


def _unusable(file: Path) -> Diagnostic:
    detail = f"{file} is not a master key file as Weyr writes it, or a key in it was changed."
    return Diagnostic(
        "The master key is damaged", detail, place=Place(str(file)), suggestion=f"restore {file} from a backup"
    )
