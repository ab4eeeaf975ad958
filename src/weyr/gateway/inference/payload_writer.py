"""The process that writes payload logs: `python -m weyr.gateway.inference.payload_writer FOLDER BYTES_MAX`.

It reads exchanges from its standard input until that ends, and writes each as a line of JSON under the folder, which
is a tree of buckets: `FOLDER/<bucket>/<key>`. What is whole there is carried into the buckets by the server. A file is
in the making while its name ends in `.part`: of those that a killed writer left, the whole lines are kept.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from weyr.core.redact import Redaction, redaction_of
from weyr.gateway.inference.payload_record import line_of
from weyr.wire.frames import Frames, frame

FILE_BYTES_MAX = 8 * 2**20
FILE_S_MAX = 60.0
"""A file is closed after so long: what was logged is in the bucket a minute or two later."""
BODY_MAX = 512 * 2**20
MAKING = ".part"
PIECE = 2**18


@dataclass(slots=True)
class _File:
    """One file in the making."""

    path: Path
    stream: BinaryIO
    began_at: float
    size: int = 0


@dataclass(slots=True)
class Writer:
    """Writes exchanges below `folder`, where at most `bytes_max` may lie. `now` is Unix seconds."""

    folder: Path
    bytes_max: int
    _files: dict[tuple[str, str], _File] = field(default_factory=dict)
    _redactions: dict[tuple[str, ...], Redaction] = field(default_factory=dict)
    _lying: int = 0
    _number: int = 0
    _weighed_at: float = 0.0

    def take(self, about: Mapping[str, Any], body: bytes, now: float) -> str:
        """Writes one exchange. Gives why it could not be written, or nothing."""
        rules = tuple(about["redact"])
        redaction = self._redactions.get(rules)
        if redaction is None:
            redaction = self._redactions[rules] = redaction_of(rules)
        line = line_of(about, body, redaction)
        self._weigh(now)
        if self._lying + len(line) > self.bytes_max:
            return "disk"
        try:
            file = self._file(about, now)
            file.stream.write(line)
            file.stream.flush()
        except OSError:
            return "disk"
        file.size += len(line)
        self._lying += len(line)
        return ""

    def close_old(self, now: float) -> None:
        """Closes the files that are full or old, and gives them their names."""
        for key, file in list(self._files.items()):
            if file.size >= FILE_BYTES_MAX or now - file.began_at >= FILE_S_MAX:
                del self._files[key]
                _finish(file)

    def close(self) -> None:
        """Closes every file."""
        for file in self._files.values():
            _finish(file)
        self._files.clear()

    def adopt(self) -> None:
        """Takes over what writers left that are no more: the whole lines of each file."""
        for path in self.folder.rglob(f"*{MAKING}"):
            pid = path.name.split("-")[1]
            if pid.isdigit() and Path(f"/proc/{pid}").exists() and int(pid) != os.getpid():
                continue  # another plane process writes it
            with suppress(OSError):
                data = path.read_bytes()
                whole = data[: data.rfind(b"\n") + 1]
                if len(whole) < len(data):
                    os.truncate(path, len(whole))
                if whole:
                    path.rename(path.with_suffix(""))
                else:
                    path.unlink()

    def _file(self, about: Mapping[str, Any], now: float) -> _File:
        """The file of this endpoint, version and hour. Raises: OSError."""
        at = time.gmtime(now)
        hour = time.strftime("date=%Y-%m-%d/hour=%H", at)
        endpoint = f"{about['endpoint']}/version={about['version']}"
        key = (str(about["bucket"]), f"{about['prefix']}{endpoint}/{hour}")
        file = self._files.get(key)
        if file is None:
            folder = (self.folder / key[0] / key[1]).resolve()
            if not folder.is_relative_to(self.folder.resolve()):
                raise OSError(f"{key[1]} leads out of the spool")
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._number += 1
            path = folder / f"{int(now)}-{os.getpid()}-{self._number}.jsonl{MAKING}"
            file = self._files[key] = _File(path, path.open("ab"), now)
        return file

    def _weigh(self, now: float) -> None:
        """What lies there is looked up now and then: the server takes away."""
        if 0 <= now - self._weighed_at < 5.0:
            return
        self._weighed_at, self._lying = now, 0
        for path in self.folder.rglob("*.jsonl*"):
            with suppress(OSError):
                self._lying += path.stat().st_size


def _finish(file: _File) -> None:
    with suppress(OSError):
        file.stream.flush()
        os.fsync(file.stream.fileno())
        file.stream.close()
        file.path.rename(file.path.with_suffix(""))


def main(folder: Path, bytes_max: int) -> int:
    """Reads frames until the plane closes the pipe, or is gone."""
    # Whoever stops the plane's group means the plane, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    writer, frames = Writer(folder, bytes_max), Frames(BODY_MAX)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    writer.adopt()
    os.set_blocking(0, True)
    poll_s = FILE_S_MAX / 10
    while True:
        piece = _read(poll_s)
        if piece == b"":
            break
        now = time.time()
        for about, body in frames.feed(piece or b""):
            if reason := writer.take(about, body, now):
                _say({"endpoint": about["endpoint"], "reason": reason})
        writer.close_old(now)
    writer.close()
    return 0


def _read(wait_s: float) -> bytes | None:
    """What came, None where nothing did in time, nothing at all at the end."""
    ready, _, _ = select.select([0], [], [], wait_s)
    return os.read(0, PIECE) if ready else None


def _say(line: Mapping[str, Any]) -> None:
    # The plane may be gone; what it cannot be told is not lost for that.
    with suppress(OSError):
        os.write(1, frame(line))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
