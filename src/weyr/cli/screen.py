"""What goes where? Data on stdout, everything else on stderr, colour only where it is wanted."""

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

_COLOURS = {
    "ready": "32", "done": "32", "working": "36", "waiting": "33", "removing": "33", "held": "33", "unknown": "35",
    "skipped": "2", "failed": "31", "fatal": "1;31", "warn": "1;33", "info": "1;36", "title": "1", "faint": "2",
}  # fmt: skip


def put(text: str = "") -> None:
    """Prints data: what a script would want to read."""
    sys.stdout.write(text + "\n")


def put_json(value: object) -> None:
    """Prints data as JSON, indented for people; jq does not mind."""
    put(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str = "") -> None:
    """Tells the user something that is not data."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def has_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal and nobody asked for plain text (NO_COLOR, TERM=dumb)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, meaning: str, stream: TextIO | None = None) -> str:
    """`text` in the colour of a phase, a severity, `title` or `faint`, where `stream` shows colours."""
    code = _COLOURS.get(meaning)
    return f"\x1b[{code}m{text}\x1b[0m" if code and has_colour(stream or sys.stdout) else text


def width(stream: TextIO) -> int | None:
    """How many columns there are, None where nobody looks: what goes into a file is never wrapped."""
    return max(20, shutil.get_terminal_size().columns) if stream.isatty() else None


def folded(text: str, stream: TextIO) -> str:
    """`text` with its lines broken between words where the terminal ends, each going on under its own beginning."""
    columns = width(stream)
    if columns is None:
        return text
    lines: list[str] = []
    for line in text.splitlines():
        inset = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line, columns, subsequent_indent=inset, replace_whitespace=False, break_on_hyphens=False,
            break_long_words=False,
        ) or [""]  # fmt: skip
    return "\n".join(lines)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns in line, two spaces apart; columns in `right` are flushed right.

    The last column is cut where the terminal ends, never when the output goes into a file or pipe.
    """
    lines = [[heading.upper() for heading in headings], *[[_one_line(cell) for cell in row] for row in rows]]
    sizes = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    columns = width(sys.stdout)
    texts = []
    for number, line in enumerate(lines):
        cells = [c.rjust(s) if i in right else c.ljust(s) for i, (c, s) in enumerate(zip(line, sizes, strict=True))]
        text = "  ".join(cells).rstrip()
        text = text[: columns - 1] + "…" if columns and len(text) > columns else text
        texts.append(coloured(text, "faint") if number == 0 else _phase_coloured(text, line))
    return "\n".join(texts)


def clock(at: float) -> str:
    """Unix seconds as the local time of day, with the date where it is not today."""
    then = time.localtime(at)
    is_today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", then)


def _one_line(cell: str) -> str:
    return " ".join(cell.split()) or "-"


def _phase_coloured(text: str, cells: Sequence[str]) -> str:
    for cell in cells:
        if cell in _COLOURS:
            return text.replace(f"  {cell}", f"  {coloured(cell, cell)}", 1)
    return text
