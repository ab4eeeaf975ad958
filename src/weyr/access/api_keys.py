"""Who outside may call endpoints? API keys are made, changed and taken back here, whether or not a server runs.

Their file is the truth, not a copy of the database: a key that leaked is revoked by one rename, which the planes see
within a fraction of a second, also where the server or its store is what broke.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from weyr.access.audit import AuditLog
from weyr.access.credentials import text_of
from weyr.access.private_files import read_private, replace_private
from weyr.core.api_keys import PRIORITIES, SCOPES, ApiKey, ApiKeys, read_keys, written_keys
from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.core.limits import NO_LIMITS, Limits

TOKEN_PREFIX = "weyr-key_"
"""Lets people and secret scanners recognise one."""
TOKEN_BYTES = 32
ID_BYTES = 6


class KeyRing:
    """The API keys of one data folder.

    Takes: `audit`, the folder of the audit trail; `now`, Unix seconds; `random`, so many random bytes.
    Promises: what a method reports as done is in the file, whole; the word that a caller shows is given once and kept
    nowhere. Several processes may change keys at once. Every change is in the audit trail.
    Raises: UserError where the file cannot be read or written.
    """

    def __init__(
        self,
        file: Path,
        audit: Path,
        now: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._file, self._audit, self._now, self._random = file, audit, now, random

    def keys(self) -> tuple[ApiKey, ...]:
        """Every key, those that have expired too."""
        return self._read().keys

    def create(
        self,
        endpoints: tuple[str, ...],
        scopes: tuple[str, ...],
        limits: Limits = NO_LIMITS,
        priority: str = "normal",
        note: str = "",
        lasts_s: float = 0.0,
    ) -> tuple[ApiKey, str]:
        """A new key, and the word to show."""
        assert endpoints
        assert set(scopes) <= SCOPES.keys()
        assert priority in PRIORITIES
        token, now = self._drawn(), self._now()
        key = ApiKey(
            id=text_of(self._random(ID_BYTES)).lower().replace("_", "x").replace("-", "y"),
            sha256=digest_of(token),
            endpoints=endpoints,
            scopes=scopes,
            limits=limits,
            priority=priority,
            note=note,
            created_at=now,
            expires_at=now + lasts_s if lasts_s else 0.0,
        )
        with self._changing() as keys:
            self._write((*keys, key))
        self._note("key:create", key)
        return key, token

    def revoke(self, id: str) -> ApiKey:
        """Ends a key now. Raises: UserError where there is none."""
        with self._changing() as keys:
            key = _found(keys, id)
            self._write(tuple(other for other in keys if other.id != id))
        self._note("key:revoke", key)
        return key

    def rotate(self, id: str, overlap_s: float = 0.0) -> tuple[ApiKey, str]:
        """A new word for a key; the one before is good for `overlap_s` more."""
        token, now = self._drawn(), self._now()
        with self._changing() as keys:
            key = _found(keys, id)
            former, until = (key.sha256, now + overlap_s) if overlap_s else ("", 0.0)
            fresh = replace(key, sha256=digest_of(token), former_sha256=former, former_until=until)
            self._write(tuple(fresh if other.id == id else other for other in keys))
        self._note("key:rotate", fresh)
        return fresh, token

    def expire(self, id: str, lasts_s: float) -> ApiKey:
        """Lets a key end in so long; 0 for never."""
        with self._changing() as keys:
            key = replace(_found(keys, id), expires_at=self._now() + lasts_s if lasts_s else 0.0)
            self._write(tuple(key if other.id == id else other for other in keys))
        self._note("key:expire", key)
        return key

    def _drawn(self) -> str:
        return TOKEN_PREFIX + text_of(self._random(TOKEN_BYTES))

    def _read(self) -> ApiKeys:
        content = read_private(self._file)
        if content is None:
            return ApiKeys()
        try:
            return read_keys(content)
        except ValueError as e:
            detail = f"{self._file} does not hold API keys as weyr writes them: {e}. Nothing was changed."
            raise UserError(Diagnostic("The API keys cannot be read", detail, place=Place(str(self._file)))) from e

    @contextmanager
    def _changing(self) -> Iterator[tuple[ApiKey, ...]]:
        """Nobody else changes the keys meanwhile."""
        lock = os.open(self._file.with_name(f".{self._file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._read().keys
        finally:
            os.close(lock)

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        replace_private(self._file, written_keys(ApiKeys(keys)))
        # A revoked key must not come back with a power cut.
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _note(self, action: str, key: ApiKey) -> None:
        log = AuditLog(self._audit, "keys")
        try:
            reason = f"{'+'.join(key.scopes)} on {' '.join(key.endpoints)}"
            log.decide(self._now(), "admin", action, f"key:{key.id}", True, reason)
        finally:
            log.close()


def digest_of(token: str) -> str:
    """What is kept of a word. A plain hash is enough: it is 32 random bytes, which nobody guesses."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _found(keys: tuple[ApiKey, ...], id: str) -> ApiKey:
    for key in keys:
        if key.id == id:
            return key
    detail = f'There is no API key "{id}". It may have been revoked already.'
    raise UserError(Diagnostic("No such API key", detail, suggestion="weyr key list"))
