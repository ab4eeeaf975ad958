"""`weyr chaos`: do to a running stack what clouds do to it."""

from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import Stack, seconds
from weyr.cli.screen import say
from weyr.cli.select import the_object
from weyr.core.units import duration_text

app = verb_app("Do to a running stack what clouds do to it.")


@app.callback()
def chaos() -> None:
    """Do to a running stack what clouds do to it."""


@verb(app, "weyr chaos reclaim job/train --notice 5s")
def reclaim(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="An object that runs on spot, such as job/train.", autocompletion=refs)
    ],
    stack: Stack = "",
    notice: Annotated[
        float, typer.Option("--notice", parser=seconds, metavar="DURATION", help="How long before the kill it is told.")
    ] = "5s",  # type: ignore[assignment]  # Typer parses defaults too
) -> None:
    """Reclaim the spot node that an object's task runs on: notice, grace, kill."""
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    client.call("POST", "/v1/chaos/reclaim", {"ref": f"{row.stack}:{row.ref}", "notice_s": notice})
    say(
        f"{row.ref} has notice: its node goes in {duration_text(notice)}. See what becomes of it: weyr events {row.ref}"
    )
