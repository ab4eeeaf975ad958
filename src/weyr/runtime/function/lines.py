"""Which event printed a line? Each line of an instance's output begins with the id of the event it is about."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_id: ContextVar[str] = ContextVar("event", default="")


@contextmanager
def tag(id: str) -> Iterator[None]:
    """What is printed in here is about this event."""
    token = _id.set(id)
    try:
        yield
    finally:
        _id.reset(token)


def tagged(text: str, id: str) -> bytes:
    """Whole lines, each behind the id."""
    return "".join(f"[{id}] {line}\n" for line in text.splitlines()).encode(errors="replace")


class LogLines(io.TextIOBase):
    """A standard stream of an instance. Lines of events that run at once do not mix."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._begun: dict[str, str] = {}

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, text: str) -> int:
        id = _id.get()
        whole, newline, rest = (self._begun.pop(id, "") + text).rpartition("\n")
        if newline:
            os.write(self._fd, tagged(whole, id) if id else f"{whole}\n".encode(errors="replace"))
        if rest:
            self._begun[id] = rest
        return len(text)

    def flush(self) -> None:
        """Ends the line that the event has begun: at the end of an event nothing of it follows."""
        id = _id.get()
        if rest := self._begun.pop(id, ""):
            os.write(self._fd, tagged(rest, id) if id else rest.encode(errors="replace"))
