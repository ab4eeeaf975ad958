"""How is a folder of buckets looked after from a terminal? `weyr s3 scrub` and `weyr s3 fsck`."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.bar import bar
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.gateway.s3.care.checkup import InUse, checked
from weyr.gateway.s3.care.fsck import Finding
from weyr.gateway.s3.care.once import scrubbed
from weyr.gateway.s3.care.repair import Unmendable

MENDED = 3
"""Something was wrong, and all of it is mended."""
DAMAGED = 4
"""Something is wrong."""

Data = Annotated[Path, typer.Option("--data", help="Folder of the buckets.")]


def scrub(data: Data, as_json: AsJson = False) -> None:
    """Read every blob once and compare it with what was written, also while the folder is served.

    Exits with 0 where all is whole, 4 where something is damaged, 1 where it cannot be looked at. A plane that serves
    the folder mends what is damaged where its bucket is replicated.
    """
    folder = data.expanduser().absolute()
    try:
        with bar("Scrubbing") as on_progress:
            done = scrubbed(folder, int(time.time() * 1000), on_progress)
    except (OSError, sqlite3.Error) as e:
        raise UserError(Diagnostic("The buckets cannot be read", f"{e}.", suggestion="weyr s3 fsck --help")) from e
    if as_json:
        damaged = [_plain(finding) for finding in done.damaged]
        put_json({"blobs": done.blobs, "bytes": done.bytes, "damaged": damaged})
    else:
        _show(done.damaged)
        say(f"{done.blobs} blobs of {done.bytes} bytes were read; {len(done.damaged)} are damaged.")
    if done.damaged:
        raise typer.Exit(DAMAGED)


def fsck(
    data: Data,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be; damaged bytes go to lost+found in that folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a folder of buckets that is not served: its index, every file, and that they agree.

    Exits with 0 where all is well, 3 where something was wrong and is mended, 4 where something is wrong still, 1 where
    it could not be checked. Where the index is gone or not sound, --repair begins from the copy that the plane keeps.
    """
    folder = data.expanduser().absolute()
    try:
        with bar("Checking") as on_progress:
            found = checked(folder, repair, int(time.time() * 1000), on_progress)
    except InUse as e:
        raise _cannot(f"{e} Stop it first; `weyr s3 scrub` looks at the bytes meanwhile.") from e
    except Unmendable as e:
        raise _cannot(str(e)) from e
    except (OSError, sqlite3.Error) as e:
        raise _cannot(f"{e}.") from e
    left = [finding for finding in found if not finding.is_mended]
    if as_json:
        put_json({"findings": [_plain(finding) for finding in found], "wrong": len(found), "left": len(left)})
    else:
        _show(found)
        say("All is well." if not found else f"{len(found)} things were wrong; {len(left)} are still.")
    if found:
        raise typer.Exit(DAMAGED if left else MENDED)


def _show(findings: Sequence[Finding]) -> None:
    for finding in findings:
        where = f" [{', '.join(finding.where)}]" if finding.where else ""
        put(f"{finding.kind.value:<10} {finding.what}{where}" + (f"; {finding.done}" if finding.done else ""))


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "what": finding.what,
        "objects": list(finding.where),
        "blob": finding.blob or None,
        "done": finding.done,
        "mended": finding.is_mended,
    }


def _cannot(detail: str) -> UserError:
    return UserError(Diagnostic("The buckets cannot be checked", detail, suggestion="weyr s3 fsck --help"))
