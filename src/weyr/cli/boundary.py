"""What does a user see when something goes wrong? Never a traceback: what, where, why, what next.

A mistake of the user's is printed with its line; a mistake of ours says that it is one, and leaves the
traceback in a log to be sent with the report.
"""

import os
import sys
import textwrap
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from weyr.cli.screen import coloured, say, width
from weyr.core.diagnostic import Diagnostic, Severity, UserError, WeyrError

FAILED = 1
USAGE = 2
BUG = 70
"""EX_SOFTWARE of sysexits.h: not to be mistaken for a stack that failed."""
INTERRUPTED = 130


def guarded(call: Callable[[], object], home: Path) -> int:
    """The exit status of `call`, with every error shown as the user should see it."""
    try:
        call()
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`weyr get | head`): point stdout elsewhere, so that the flush at exit is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UserError as e:
        show(e.diagnostics)
        return FAILED
    except WeyrError as e:
        show([Diagnostic("Weyr could not go on", f"{e}.", suggestion="weyr server status")])
        return FAILED
    except Exception as e:  # noqa: BLE001 - the program's edge: whatever arrives here is a bug of ours
        show([_bug(e, home)])
        return BUG
    return 0


def show(diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
    """Prints diagnostics on stderr, worst last, where the eye is when the prompt returns."""
    order = [Severity.INFO, Severity.WARN, Severity.FATAL]
    say("\n\n".join(rendered(d) for d in sorted(diagnostics, key=lambda d: order.index(d.severity))))


def rendered(diagnostic: Diagnostic) -> str:
    """One diagnostic: summary, place and detail, the line of the file, and the next step on its own line."""
    word = {Severity.FATAL: "Error", Severity.WARN: "Warning", Severity.INFO: "Note"}[diagnostic.severity]
    where = " ".join(part for part in (_shown_place(diagnostic), diagnostic.ref) if part)
    detail = f"{where}: {diagnostic.detail}" if where else diagnostic.detail
    lines = [coloured(f"{word}: {diagnostic.summary}", diagnostic.severity.value, sys.stderr)]
    lines += _wrapped(detail)
    lines += _source_line(diagnostic)
    if diagnostic.suggestion:
        lines += [f"  Try: {diagnostic.suggestion}"]
    return "\n".join(lines)


def _shown_place(diagnostic: Diagnostic) -> str:
    """The place, with the file as short as it can be named from here."""
    if diagnostic.place is None:
        return ""
    text, here = str(diagnostic.place), str(Path.cwd()) + os.sep
    return text.removeprefix(here)


def _wrapped(detail: str) -> list[str]:
    columns = width(sys.stderr)
    lines: list[str] = []
    for paragraph in detail.splitlines() or [""]:
        if columns is None:
            lines.append(f"  {paragraph}")
        else:
            lines += textwrap.wrap(
                paragraph, columns, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False,
                break_long_words=False,
            )  # fmt: skip
    return lines


def _source_line(diagnostic: Diagnostic) -> list[str]:
    """The line of the user's file that is meant, if it is still there to be read."""
    place = diagnostic.place
    if place is None or not place.line:
        return []
    try:
        with open(place.file, encoding="utf-8", errors="strict") as file:
            line = next((text for number, text in enumerate(file, 1) if number == place.line), "")
    except (OSError, ValueError):
        return []
    shown = "".join(c if c.isprintable() else " " for c in line.rstrip())[:100]
    return [coloured(f"  {place.line:>5} | {shown}", "faint", sys.stderr)] if shown.strip() else []


def _bug(error: Exception, home: Path) -> Diagnostic:
    log = home / "logs" / "cli.log"
    story = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} weyr {' '.join(sys.argv[1:])}\n{traceback.format_exc()}\n"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(story)
        kept = f"The whole story is in {log}."
    except OSError:
        kept = f"It could not be written to {log}, so here it is:\n{story}"
    return Diagnostic(
        "A bug in Weyr",
        f"Weyr made a mistake ({type(error).__name__}: {error}). It is not your stack's fault. {kept} "
        "Please report it with that file; nothing is sent by itself.",
    )
