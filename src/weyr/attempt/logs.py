"""How is a task's output kept? Masked, in numbered files, bounded on disk; the oldest go first.

The writer runs in the wrapper (standard library only); readers follow the numbers.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence

FILE_BYTES = 8 << 20
FILES_MAX = 4
MASK = b"****"
MASK_BYTES_MIN = 4
"""A shorter value is no secret, and masking every "1" would leave no log to read."""
FLOOD_BYTES_PER_S = 16 << 20
FLOOD_BURST_BYTES = 32 << 20
"""A flood is slowed down, not dropped: past this the pipe stays full and the task waits in write(2).
Pumping 16 MiB/s costs about 3 % of a core."""


class Masker:
    """Replaces secrets in a stream, also where one is cut in two by the reads."""

    def __init__(self, secrets: Sequence[str]) -> None:
        lines = {line.strip().encode() for secret in secrets for line in [secret, *secret.splitlines()]}
        self._secrets = sorted((s for s in lines if len(s) >= MASK_BYTES_MIN), key=len, reverse=True)
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be shown by now; an end that could begin a secret is held for the next call."""
        if not self._secrets:
            return chunk
        text = self._held + chunk
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        held = max((self._overlap(text, secret) for secret in self._secrets), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> bytes:
        """What was held, at the end of the stream; much of a secret is a secret too."""
        rest, self._held = self._held, b""
        return MASK if len(rest) >= MASK_BYTES_MIN else rest

    @staticmethod
    def _overlap(text: bytes, secret: bytes) -> int:
        """How many bytes at the end of `text` begin `secret`."""
        for size in range(min(len(secret) - 1, len(text)), 0, -1):
            if text.endswith(secret[:size]):
                return size
        return 0


class TaskLog:
    """The writer: one per wrapper. Raises OSError from nowhere: a full disk costs log lines, not tasks."""

    def __init__(self, folder: str, secrets: Sequence[str], file_bytes: int = FILE_BYTES, files: int = FILES_MAX):
        self._folder, self._file_bytes, self._files = folder, file_bytes, files
        self._masker = Masker(secrets)
        self._number, self._size, self._fd = 0, 0, -1
        self._at_line_start = True
        self.lost_bytes = 0
        self._credit, self._credited_at = float(FLOOD_BURST_BYTES), time.monotonic()

    def write(self, chunk: bytes) -> None:
        """Takes output as it was read."""
        self._credit -= len(chunk)
        self._put(self._masker.feed(chunk))

    def say(self, sentence: str) -> None:
        """A line of ours between the task's own."""
        self._put((b"" if self._at_line_start else b"\n") + f"[weyr] {sentence}\n".encode())

    def wait_s(self) -> float:
        """How long not to read from the task; 0 while its output is no flood."""
        now = time.monotonic()
        self._credit = min(FLOOD_BURST_BYTES, self._credit + (now - self._credited_at) * FLOOD_BYTES_PER_S)
        self._credited_at = now
        return 0.0 if self._credit > 0 else 0.05 - self._credit / FLOOD_BYTES_PER_S

    def close(self) -> None:
        """Writes what is left, and what was lost if that is still untold. More may follow, and another close."""
        self._put(self._masker.rest())
        self._tell_what_was_lost()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _put(self, text: bytes) -> None:
        if not text:
            return
        if self._fd < 0 or self._size >= self._file_bytes:
            self._next_file()
        self._tell_what_was_lost()
        self.lost_bytes += len(text) - self._append(text)

    def _tell_what_was_lost(self) -> None:
        if not self.lost_bytes:
            return
        if self._fd < 0:
            self._next_file()
        note = f"[weyr] {self.lost_bytes} bytes of this log were lost: there was no room for them\n".encode()
        if self._append((b"" if self._at_line_start else b"\n") + note):
            self.lost_bytes = 0

    def _append(self, text: bytes) -> int:
        """How much of it was written: without space the task goes on without its log, and is not held up."""
        done = 0
        try:
            while self._fd >= 0 and done < len(text):
                done += os.write(self._fd, text[done:])
        except OSError:
            pass  # what there was room for is written; the rest is counted and told of later
        if done:
            self._size += done
            self._at_line_start = text[:done].endswith(b"\n")
        return done

    def _next_file(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            fd = os.open(os.path.join(self._folder, _name(self._number + 1)), flags, 0o600)
        except OSError:
            return  # the file before takes a little more, and the next line tries again
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._number += 1
        self._size = 0
        oldest = self._number - self._files
        if oldest > 0:
            self._drop(_name(oldest))
            kept, dropped = self._files * self._file_bytes, oldest * self._file_bytes
            note = (
                f"[weyr] the oldest {dropped >> 10} KiB of this log were dropped; the last {kept >> 10} KiB are kept\n"
            )
            self._put(note.encode())

    def _drop(self, name: str) -> None:
        try:
            os.unlink(os.path.join(self._folder, name))
        except OSError:
            return  # somebody tidied up before us


def _name(number: int) -> str:
    return f"{number:06d}.log"


def log_files(folder: str) -> list[str]:
    """The log's files that are there, oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".log"))
    except FileNotFoundError:
        return []


def read_log(folder: str, tail: int | None = None) -> tuple[bytes, str, int]:
    """The log so far (its last `tail` lines) and where it stopped: a file's name and an offset."""
    parts: list[bytes] = []
    name, lines = "", 0
    position = 0
    for current in reversed(log_files(folder)):
        try:
            with open(os.path.join(folder, current), "rb") as file:
                text = file.read()
        except FileNotFoundError:
            break  # dropped while we read
        if not name:
            name, position = current, len(text)
        parts.append(text)
        lines += text.count(b"\n")
        if tail is not None and lines > tail:
            break
    whole = b"".join(reversed(parts))
    return (whole if tail is None else _last_lines(whole, tail)), name, position


def _last_lines(text: bytes, count: int) -> bytes:
    return b"".join(text.splitlines(keepends=True)[-count:]) if count > 0 else b""


def follow_log(place: Callable[[], str], name: str, position: int) -> Iterator[bytes]:
    """What is written after a place that `read_log` gave; b"" means that nothing is new just now.

    The log's folder is asked for each time: it moves to the archive when its task goes.
    """
    while True:
        folder = place()
        files = [file for file in log_files(folder) if file >= name]
        if not files:
            yield b""
            continue
        if files[0] != name:
            name, position = files[0], 0
        try:
            with open(os.path.join(folder, name), "rb") as file:
                file.seek(position)
                text = file.read(1 << 20)
        except FileNotFoundError:
            continue  # dropped meanwhile: the next round finds the file after it
        position += len(text)
        if not text and len(files) > 1:
            name, position = files[1], 0
            continue
        yield text
