"""`weyr events`: what happened, oldest first, and what happens."""

import json
from typing import Annotated

import typer

from weyr.cli.client import Client
from weyr.cli.completing import refs
from weyr.cli.connect import reader, writer
from weyr.cli.feed import event_of, parsed
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Follow, Stack
from weyr.cli.screen import put, put_json, say
from weyr.cli.select import not_an_address, selection_of
from weyr.cli.stages import event_text
from weyr.core.diagnostic import UserError

app = verb_app()


@verb(app, "weyr events --stack digits --tail 20")
def events(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="Only this object's.", autocompletion=refs)] = "",
    stack: Stack = "",
    follow: Follow = False,
    tail: Annotated[int, typer.Option("--tail", min=1, metavar="N", help="Only the last N.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what happened, oldest first.

    With --json --follow, one event per line.
    """
    session: Session = ctx.obj
    chosen = selection_of(ref, stack)
    if ref and not chosen.name:
        raise UserError(not_an_address(ref))
    client = writer(session.home) if follow else reader(session.home)
    wanted = f"{chosen.kind}/{chosen.name}" if chosen.name else ""
    answer = client.call("GET", "/v1/events", stack=chosen.stack, ref=wanted, limit=tail)
    found = answer.get("events") or []
    if as_json and not follow:
        put_json(answer)
        return
    for fields in found:
        put(json.dumps(fields) if as_json else event_text(event_of(fields)))
    if follow:
        _follow(client, chosen.stack, wanted, max((int(e["id"]) for e in found), default=0), as_json)
    elif not found:
        say("Nothing has happened yet.")


def _follow(client: Client, stack: str, ref: str, after: int, as_json: bool) -> None:
    for event in parsed(client.lines("/v1/events/stream", stack=stack, after=after)):
        if ref and event.ref != ref:
            continue
        shown = {"id": event.id, "at": event.at, "stack": event.stack, "ref": event.ref, "event": event.event,
                 "message": event.message}  # fmt: skip
        put(json.dumps(shown) if as_json else event_text(event))
