"""`weyr restore`: a new data folder from a backup. It starts nothing."""

import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.bar import bar
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import clock, put, put_json, say

app = verb_app()


@verb(app, "weyr restore weyr.tar.gz --home restored")
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What weyr backup made.")],
    as_json: AsJson = False,
) -> None:
    """Make a new data folder from a backup.

    The folder is the one that --home names; it must be new or empty. What ran when the backup was made
    counts as lost at that moment, and weyr up lets it go on from its checkpoint.
    """
    session: Session = ctx.obj
    with bar("Restoring") as on_progress:
        done = 0

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            on_progress(done, 0)

        made = import_module("weyr.compose.restore").restore(file.absolute(), session.home, time.time, on_bytes)
    if as_json:
        put_json({
            "home": str(made.home), "made_at": made.made_at, "files": made.files, "lost": list(made.lost),
            "keeps_ports": made.keeps_ports,
        })  # fmt: skip
        return
    put(f"{made.home}  as of {clock(made.made_at)}, {made.files} files")
    for task in made.lost:
        say(f"{task} ran then. It counts as lost at that moment, and its meters end there.")
    if not made.keeps_ports:
        say("The old ports are not free here: new ones are taken at the first start.")
    say(f"Go on with: weyr up FOLDER --home {made.home}")
