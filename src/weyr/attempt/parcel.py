"""How does a snapshot come to another machine? By pieces of its files, of which the receiver says what it lacks.

A file is named as it lies in the folder of snapshots, and appears there once its bytes are what its name says. What was
taken before something died is not sent again; what a machine has is not sent at all.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from weyr.attempt.shipping import blob_name, manifest_name

PIECE_BYTES = 4 << 20
WISHES_MAX = 1000
"""Files that are asked for at once."""


class Wish(NamedTuple):
    """A file that is lacking, from this offset on."""

    name: str
    offset: int


class Piece(NamedTuple):
    """Bytes of a file; the last ones are followed by nothing."""

    name: str
    offset: int
    data: bytes
    is_last: bool


class Damaged(Exception):
    """What came is not what it is called."""


class Intake:
    """One snapshot on its way into `store`. Nobody else may take one in there meanwhile."""

    def __init__(self, store: Path, digest: str) -> None:
        self._store, self._digest = store, digest
        self._parts = store / "parts"

    def lacking(self) -> list[Wish]:
        """What to send next; nothing once all is there. Raises: OSError, Damaged."""
        manifest = self._store / manifest_name(self._digest)
        names = [manifest_name(self._digest)]
        if manifest.exists():
            entries = json.loads(manifest.read_bytes())
            names = sorted({blob_name(what) for _, mode, what in entries if stat.S_ISREG(mode)})
        missing = [name for name in names if not (self._store / name).exists()]
        return [Wish(name, self._size(name)) for name in missing[:WISHES_MAX]]

    def take(self, pieces: Sequence[Piece]) -> None:
        """Keeps what continues what is there; any other was sent twice. Raises: OSError, Damaged."""
        self._parts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for piece in pieces:
            if self._size(piece.name) != piece.offset or (self._store / piece.name).exists():
                continue
            part = self._part(piece.name)
            with part.open("ab") as file:
                file.write(piece.data)
            if piece.is_last:
                self._settle(piece.name, part)

    def _settle(self, name: str, part: Path) -> None:
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if name not in (manifest_name(digest), blob_name(digest)):
            part.unlink()
            raise Damaged(f"{name} came as {digest}")
        (self._store / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(part, self._store / name)

    def _part(self, name: str) -> Path:
        return self._parts / Path(name).name

    def _size(self, name: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self._part(name).stat().st_size
        return 0


def pieces_of(store: Path, wishes: Sequence[Wish]) -> Iterator[list[Piece]]:
    """What is wished for, in bundles of about `PIECE_BYTES`. Raises: OSError, FileNotFoundError where it is gone."""
    bundle: list[Piece] = []
    for wish in wishes:
        with (store / wish.name).open("rb") as file:
            size, offset = os.fstat(file.fileno()).st_size, wish.offset
            file.seek(offset)
            while True:
                data = file.read(PIECE_BYTES)
                bundle.append(Piece(wish.name, offset, data, offset + len(data) >= size))
                offset += len(data)
                if sum(len(piece.data) for piece in bundle) >= PIECE_BYTES:
                    yield bundle
                    bundle = []
                if offset >= size or not data:
                    break
    if bundle:
        yield bundle
