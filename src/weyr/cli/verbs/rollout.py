"""`weyr rollout`: have a say in how a new version of an endpoint takes over."""

from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import Stack
from weyr.cli.screen import say
from weyr.cli.select import the_object

app = verb_app("Promote, abort, pause or resume a new version that is on its way.")

Target = Annotated[
    str, typer.Argument(metavar="REF", help="An endpoint, such as endpoint/digits.", autocompletion=refs)
]


@app.callback()
def rollout() -> None:
    """Promote, abort, pause or resume a new version that is on its way."""


@verb(app, "weyr rollout promote endpoint/digits")
def promote(ctx: typer.Context, ref: Target, stack: Stack = "") -> None:
    """Give a new version all requests now; or try one again that was taken back."""
    _order(ctx, ref, stack, "promote", "The new version of {} is to get all requests.")


@verb(app, "weyr rollout abort endpoint/digits")
def abort(ctx: typer.Context, ref: Target, stack: Stack = "") -> None:
    """Take a new version back: the old replicas, which are still there, answer again."""
    _order(ctx, ref, stack, "abort", "The new version of {} is taken back.")


@verb(app, "weyr rollout pause endpoint/digits")
def pause(ctx: typer.Context, ref: Target, stack: Stack = "") -> None:
    """Keep a new version at the share that it has. It is still taken back where it is worse than it may be."""
    _order(ctx, ref, stack, "pause", "The new version of {} stays at its share.")


@verb(app, "weyr rollout resume endpoint/digits")
def resume(ctx: typer.Context, ref: Target, stack: Stack = "") -> None:
    """Let a paused new version go on."""
    _order(ctx, ref, stack, "resume", "The new version of {} goes on.")


def _order(ctx: typer.Context, ref: str, stack: str, verb: str, text: str) -> None:
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    client.call("POST", "/v1/orders", {"ref": f"{row.stack}:{row.ref}", "verb": verb})
    say(f"{text.format(row.ref)} See it happen: weyr events {row.ref}")
