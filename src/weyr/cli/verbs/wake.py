"""`weyr wake`: start what its calendar or its idleness stopped."""

from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import Stack
from weyr.cli.screen import say
from weyr.cli.select import the_object

app = verb_app()


@verb(app, "weyr wake dev/notebook")
def wake(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="A service or a session, such as dev/notebook.", autocompletion=refs)
    ],
    stack: Stack = "",
) -> None:
    """Start what its calendar or its idleness stopped.

    It runs until its calendar closes the next time, or until it is idle again.
    """
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    client.call("POST", "/v1/orders", {"ref": f"{row.stack}:{row.ref}", "verb": "wake"})
    say(f"{row.ref} is started. See it happen: weyr events {row.ref}")
