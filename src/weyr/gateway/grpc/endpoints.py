"""Which endpoint does a gRPC call mean? What its metadata says, or the only one that is asked over gRPC."""

import json
from pathlib import Path

from weyr.gateway.grpc.translate import Malformed

ENDPOINT = "weyr-endpoint"
"""The metadata that says it, as `stack/endpoint`: a gRPC path has no room for it."""


class Endpoints:
    """The endpoints behind a plane.

    Takes: `default`, for calls that name none; `file`, whose list alone may be asked, as it is at each call. Without a
    file, every endpoint may be.
    """

    def __init__(self, default: str = "", file: Path | None = None) -> None:
        self._default = default
        self._file = file
        self._read_at: tuple[int, int] | None = None
        self._listed: frozenset[str] = frozenset()

    def named(self, said: str) -> str:
        """Takes what the metadata says, "" for nothing. Raises: Malformed, LookupError where it may not be asked."""
        listed = self._current()
        name = (said or self._default).strip("/")
        if not name and listed is not None and len(listed) == 1:
            return next(iter(listed))
        if not name:
            raise Malformed(f'say which endpoint: the metadata "{ENDPOINT}" is STACK/ENDPOINT')
        if any(character <= " " for character in name):
            raise Malformed(f'the metadata "{ENDPOINT}" is not STACK/ENDPOINT')
        if listed is not None and name not in listed:
            raise LookupError(f"no endpoint {name} is asked over gRPC; its `grpc: true` would say so")
        return name

    def _current(self) -> frozenset[str] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
            # A rewrite is a new file under the old name.
            if self._read_at != (found.st_ino, found.st_mtime_ns):
                self._listed = frozenset(json.loads(self._file.read_bytes())["endpoints"])
                self._read_at = (found.st_ino, found.st_mtime_ns)
        except FileNotFoundError:
            self._listed, self._read_at = frozenset(), None
        return self._listed
