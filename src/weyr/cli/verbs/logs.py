"""`weyr logs`: what a task printed, as it printed it."""

import json
from typing import Annotated

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.client import ServerGone
from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Follow, Stack
from weyr.cli.screen import put, say
from weyr.cli.select import the_object

app = verb_app()


@verb(app, "weyr logs job/train --tail 20\nweyr logs job/train --replica 1 --attempt 2\nweyr logs 'job/train#2'")
def logs(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="An object, or one of its things: job/train#2.", autocompletion=refs)
    ],
    stack: Stack = "",
    follow: Follow = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, metavar="N", help="Only the last N lines.")] = None,
    attempt: Annotated[int | None, typer.Option("--attempt", min=0, metavar="N", help="Not the newest one.")] = None,
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Only this replica.")] = None,
    index: Annotated[int | None, typer.Option("--index", min=0, metavar="N", help="Only this index.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what an object's task printed.

    That of its newest attempt; where several tasks make it, each line begins with the replica or the index that
    printed it. With --json, one object per line.
    """
    session: Session = ctx.obj
    client = reader(session.home)
    name, _, part = ref.partition("#")
    row = the_object(client, name, stack)
    address = f"{row.stack}:{row.ref}"
    which = {"attempt": attempt, "replica": replica, "index": index}
    asked: dict[str, object] = {"id": f"{address}#{part}"} if part else {"ref": address, **which}
    try:
        for line in client.lines("/v1/logs", **asked, follow="1" if follow else "0", tail=tail):
            put(json.dumps({"line": line}, ensure_ascii=False) if as_json else line)
    except ServerGone:
        if not follow:
            raise
        say(
            f"The server went away; the task goes on and its log is kept. Once it is back: weyr logs {address} --follow"
        )
        raise typer.Exit(FAILED) from None
