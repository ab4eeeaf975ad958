"""`weyr backup`: the whole data folder in one file, made while everything runs."""

import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.bar import bar
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say
from weyr.core.units import size_text
from weyr.store.home import Home

NAME = "weyr-%Y%m%dT%H%M%SZ.tar.gz"
PATTERN = "weyr-????????T??????Z.tar.gz"

app = verb_app()


@verb(app, "weyr backup weyr.tar.gz")
def backup(
    ctx: typer.Context,
    to: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="In a folder it is named for the moment.")],
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, metavar="N", help="In a folder: remove all but the newest N after it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy the data folder into one file while everything runs.

    It holds the keys and every secret: keep it as you would keep them. What runs is not interrupted, and
    is not in it: after a restore jobs go on from their checkpoints.
    """
    session: Session = ctx.obj
    is_folder = to.is_dir()
    if keep is not None and not is_folder:
        raise typer.BadParameter("only backups in a folder are rotated", param_hint="--keep")
    file = (to / time.strftime(NAME, time.gmtime()) if is_folder else to).absolute()
    # What it takes to copy is loaded here; listing the verbs does without.
    back_up = import_module("weyr.compose.backup").back_up
    with bar("Copying") as on_progress:
        made = back_up(Home(session.home), file, time.time, on_progress)
    removed = _rotated(to, keep) if keep is not None else []
    say("It holds the master key, every token and every secret. Whoever can read it can do everything.")
    if as_json:
        put_json({
            "file": str(made.file), "made_at": made.made_at, "size_bytes": made.size_bytes, "files": made.files,
            "removed": removed,
        })  # fmt: skip
        return
    put(f"{made.file}  {size_text(made.size_bytes)}, {made.files} files")
    say(f"Restore it with: weyr restore {made.file} --home NEW-FOLDER")


def _rotated(folder: Path, keep: int) -> list[str]:
    """Removes the oldest backups of ours in a folder; gives their names. Theirs says when they were made."""
    old = sorted(folder.glob(PATTERN))[:-keep]
    for file in old:
        file.unlink()
    return [file.name for file in old]
