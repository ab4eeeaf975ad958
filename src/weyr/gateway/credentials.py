"""Who is calling? The planes' reader of credentials.json, which follows the file as it changes.

The file is written by `weyr.access` as a whole and put in place by a rename. This module only reads: it
refuses to know how a credential is made, and whether a call is allowed (`weyr.core.grants` says that).
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weyr.core.grants import Principal

CHECK_EVERY_S = 0.1
"""How old an answer may be: a stat per request would cost more than the lookup."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one version of the file said. `stamp` tells the versions apart without reading them."""

    stamp: tuple[int, int, int] | None = None
    generation: int = 0
    tokens: Mapping[str, Principal] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, Principal]] = field(default_factory=dict)


class Credentials:
    """The credentials in `path` as they are now, at most `CHECK_EVERY_S` behind.

    Takes: `clock`, monotonic seconds (only decides when to look at the file again).
    Promises: a missing file knows nobody. A file that cannot be parsed keeps the last good answer, because the
    writer replaces it by rename and a torn file can only be a fault of the disk or of a hand edit; `problem` says so.
    """

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.monotonic) -> None:
        self.problem = ""
        self._path = Path(path)
        self._clock = clock
        self._checked_at = float("-inf")
        self._snapshot = _Snapshot()

    @property
    def generation(self) -> int:
        """The file's own counter, for health reports."""
        return self._current().generation

    def version(self) -> object:
        """The same one for as long as the file is."""
        return self._newest()

    def token(self, bearer: str) -> Principal | None:
        """The owner of a bearer token, None where nobody has it."""
        digest = hashlib.sha256(bearer.encode()).hexdigest()
        return self._current().tokens.get(digest) or self._newest().tokens.get(digest)

    def key(self, access_key_id: str) -> tuple[str, Principal] | None:
        """The secret that signs for this access key id and its owner, None where nobody has it."""
        return self._current().keys.get(access_key_id) or self._newest().keys.get(access_key_id)

    def _current(self) -> _Snapshot:
        now = self._clock()
        if now - self._checked_at >= CHECK_EVERY_S:
            self._checked_at = now
            self._follow()
        return self._snapshot

    def _newest(self) -> _Snapshot:
        """What the file says right now: who is not known may be new, and another process may know him already."""
        self._follow()
        return self._snapshot

    def _follow(self) -> None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            self._snapshot = _Snapshot()
            return
        except OSError as e:
            self.problem = str(e)
            return
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if stamp == self._snapshot.stamp:
            return
        try:
            self._snapshot = _read(self._path.read_bytes(), stamp)
            self.problem = ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            self.problem = f"{type(e).__name__}: {e}"


def _read(text: bytes, stamp: tuple[int, int, int]) -> _Snapshot:
    document = json.loads(text)
    principals = {
        name: Principal(name, tuple(entry.get("grants", ()))) for name, entry in document.get("principals", {}).items()
    }
    return _Snapshot(
        stamp=stamp,
        generation=int(document.get("generation", 0)),
        tokens={digest: principals[name] for digest, name in document.get("tokens", {}).items()},
        keys={
            key: (entry["secret"], principals[entry["principal"]]) for key, entry in document.get("keys", {}).items()
        },
    )
