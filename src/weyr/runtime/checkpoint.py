"""Checkpoints for Python programs: `from weyr.runtime import checkpoint`.

    start = load(checkpoint.latest())
    for epoch in range(start, 30):
        train_one_epoch()
        if checkpoint.is_due():
            with checkpoint.saving(f"epoch-{epoch}") as folder:
                save(model, folder / "model.bin")
        if checkpoint.should_stop():
            break

Outside Weyr nothing is restored, nothing is due and nothing is kept, so that a script runs as it is.
A program in any other language needs none of this: the contract is a folder and a signal (see the guide).
"""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

FOLDER = "WEYR_CHECKPOINT_DIR"
EVERY_S = "WEYR_CHECKPOINT_EVERY_S"
KEPT_HERE = 2
"""Entries that stay in the folder: the agent may be reading the older while the newer is written."""

_began_at = time.monotonic()
_saved_at = _began_at
_stop = threading.Event()
_is_listening = False


def folder() -> Path | None:
    """The checkpoint folder, or None outside Weyr."""
    name = os.environ.get(FOLDER)
    return Path(name) if name else None


def latest() -> Path | None:
    """The newest complete checkpoint, a file or a folder: what the attempt before left, or our own."""
    at = folder()
    found = _complete(at) if at else []
    return found[-1] if found else None


def is_due() -> bool:
    """Whether it is time to save: the interval has passed since the last time, or the task is to end.

    Call it once per step; from the first call on, SIGTERM no longer ends the program by itself.
    """
    if folder() is None:
        return False
    if should_stop():
        return True
    return time.monotonic() - _saved_at >= float(os.environ.get(EVERY_S, "60"))


def should_stop() -> bool:
    """Whether SIGTERM was seen: save, and end within the grace period. As `is_due` on signals."""
    _listen()
    return _stop.is_set()


@contextmanager
def saving(name: str) -> Iterator[Path]:
    """An empty folder to write a checkpoint into. It becomes one when the block ends well, at once and whole.

    Raises: ValueError for a name that cannot be a checkpoint's.
    """
    if "/" in name or name.startswith(".") or name.endswith(".tmp") or not name:
        raise ValueError(f"{name!r} is no name for a checkpoint: no slash, no leading dot, no .tmp at the end")
    at = folder()
    if at is None:
        with tempfile.TemporaryDirectory(prefix="checkpoint-") as nowhere:
            yield Path(nowhere)
        return
    new = at / f"{name}.tmp"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    _put_in_place(new, at / name)
    global _saved_at  # one program, one clock of saves
    _saved_at = time.monotonic()


def _put_in_place(new: Path, to: Path) -> None:
    os.utime(new)  # the newest by time wins, however old the files in it are
    if to.exists():
        old = to.with_name(f".{to.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        to.rename(old)
        new.rename(to)
        shutil.rmtree(old, ignore_errors=True)
    else:
        new.rename(to)
    for path in _complete(to.parent)[:-KEPT_HERE]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _complete(at: Path) -> list[Path]:
    """The complete entries, oldest first."""
    if not at.is_dir():
        return []
    names = [path for path in at.iterdir() if not path.name.startswith(".") and not path.name.endswith(".tmp")]
    return sorted(names, key=lambda path: (path.stat().st_mtime_ns, path.name))


def _listen() -> None:
    """Takes SIGTERM over, once. Only the main thread may; elsewhere the program keeps its own way."""
    global _is_listening
    if _is_listening or threading.current_thread() is not threading.main_thread():
        return
    _is_listening = True
    signal.signal(signal.SIGTERM, _on_signal)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    _stop.set()
