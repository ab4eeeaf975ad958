"""Which file does the user mean, what stands in it, and which stack is it?"""

import errno
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, Place, UserError, nearest

DEFAULT = "weyr.yaml"
SIZE_MAX_BYTES = 4 * 2**20
"""A stack file is written by people; four mebibytes are some hundred thousand lines."""
_STACK = re.compile(r"""^stack:[ \t]*(["']?)([a-z][a-z0-9_-]{0,39})\1[ \t]*(?:#.*)?$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StackFile:
    """A stack file as found: where it is, and its text."""

    path: Path
    text: str

    @property
    def stack(self) -> str:
        """The stack it names, readable even where the rest of the file is broken. Raises: UserError."""
        match = _STACK.search(self.text)
        if match:
            return match[2]
        raise UserError(
            Diagnostic(
                "No stack name",
                "The file does not say which stack it is; its first line should be one such as `stack: digits`.",
                place=Place(str(self.path)),
                suggestion="weyr down --stack NAME",
            )
        )


def replace_text(path: Path, text: str) -> None:
    """Puts a text in a file's place, whole or not at all: a full disk must not leave half of what somebody wrote.

    Raises: OSError, and the file is as it was. A link stays a link, and the rights stay what they are.
    """
    real = path.resolve()
    if not os.access(real, os.W_OK):
        raise PermissionError(errno.EACCES, "It may not be written", str(path))
    draft = real.with_name(f".{real.name}.{os.getpid()}.new")
    try:
        with draft.open("x", encoding="utf-8", newline="") as file:
            shutil.copymode(real, draft)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(real)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)  # nothing, once it has the file's name


def read_stack_file(given: Path | None) -> StackFile:
    """The file at a path, in a folder, or here. Raises: UserError, with the nearest name where there is one."""
    start = given or Path()
    path = (start / DEFAULT if start.is_dir() else start).absolute()
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX_BYTES + 1)
    except FileNotFoundError as e:
        raise UserError(_missing(path, given)) from e
    except OSError as e:
        raise UserError(Diagnostic("The stack file cannot be read", f"{e.strerror}.", place=Place(str(path)))) from e
    if len(data) > SIZE_MAX_BYTES:
        raise UserError(
            Diagnostic(
                "The stack file is too large", f"It has more than {SIZE_MAX_BYTES:,} bytes.", place=Place(str(path))
            )
        )
    try:
        return StackFile(path, data.decode("utf-8-sig"))
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        detail = (
            f"Byte {e.start} is not UTF-8. A stack file is text; this may be a binary, or saved in another encoding."
        )
        raise UserError(Diagnostic("The stack file is not text", detail, place=Place(str(path), line))) from e


def read_usage_file(given: Path) -> StackFile:
    """A usage file, bounded as a stack file is. Raises: UserError."""
    path = given.absolute()
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as e:
        raise UserError(Diagnostic("The usage file cannot be read", f"{e.strerror}.", place=Place(str(path)))) from e
    except UnicodeDecodeError as e:
        raise UserError(Diagnostic("The usage file is not text", "It is not UTF-8.", place=Place(str(path)))) from e
    if len(data) > SIZE_MAX_BYTES:
        detail = f"It has more than {SIZE_MAX_BYTES:,} bytes."
        raise UserError(Diagnostic("The usage file is too large", detail, place=Place(str(path))))
    return StackFile(path, text)


def _missing(path: Path, given: Path | None) -> Diagnostic:
    siblings = [p.name for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    near = nearest(path.name, siblings) or (siblings[0] if len(siblings) == 1 else None)
    hint = f' Did you mean "{near}"?' if near else ""
    next_step = f"weyr up {path.parent / near}" if near else "weyr init"
    what = (
        f"There is no {path.name} in {path.parent}." if path.parent.is_dir() else f"There is no folder {path.parent}."
    )
    return Diagnostic("No stack file", what + hint, suggestion=next_step if given is None or near else "weyr init")
