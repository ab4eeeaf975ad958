"""How does a terminal talk to a command in a task? What is typed goes there, what it writes comes back."""

import base64
import json
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from weyr.cli.client import Client
from weyr.core.diagnostic import WeyrError

PIECE_BYTES = 32_768
LOST = 255
"""As ssh has it: nobody knows how the command ended."""


def visit(client: Client, asked: dict[str, object], has_terminal: bool) -> int:
    """Runs a command in a task; gives its exit code. Raises: UserError, ServerGone."""
    size = _size() if has_terminal else {}
    name = client.call("POST", "/v1/exec", {**asked, **size})["visit"]
    with _resized(lambda: client.call("POST", f"/v1/exec/{name}/size", _size()), has_terminal), _raw(has_terminal):
        threading.Thread(target=_type, args=(client, name, has_terminal), daemon=True).start()
        for line in client.lines(f"/v1/exec/{name}/output"):
            frame = json.loads(line) if line.strip() else {}
            if "exit" in frame:
                return int(frame["exit"])
            for key, stream in (("o", sys.stdout.buffer), ("e", sys.stderr.buffer)):
                if key in frame:
                    stream.write(base64.b64decode(frame[key]))
                    stream.flush()
    return LOST


def _type(client: Client, name: str, has_terminal: bool) -> None:
    """Carries our input there, until there is no more of it or nobody wants it."""
    with suppress(WeyrError, OSError):
        while True:
            text = os.read(0, PIECE_BYTES)
            is_end = not text and not has_terminal
            body = {"data": base64.b64encode(text).decode(), "is_end": is_end}
            client.call("POST", f"/v1/exec/{name}/input", body)
            if not text:
                return


@contextmanager
def _raw(has_terminal: bool) -> Iterator[None]:
    """Each key goes there as it is pressed, Ctrl-C too."""
    if not (has_terminal and sys.stdin.isatty()):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSANOW)  # what was typed ahead is not thrown away
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _resized(tell: Callable[[], object], has_terminal: bool) -> Iterator[None]:
    if not has_terminal:
        yield
        return

    def changed(*_: object) -> None:
        with suppress(WeyrError):
            tell()

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _size() -> dict[str, object]:
    columns, rows = shutil.get_terminal_size()
    return {"rows": rows, "columns": columns}
