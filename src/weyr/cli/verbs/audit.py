"""`weyr audit`: who was refused what."""

from typing import Annotated

import typer

from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import clock, put, put_json, say, table

app = verb_app()


@verb(app, "weyr audit --tail 20")
def audit(
    ctx: typer.Context,
    tail: Annotated[int, typer.Option("--tail", min=1, metavar="N", help="Only the last N.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who was refused what.

    One line per refusal at any door: the API, the object store, tracking and the endpoints.
    """
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/audit", limit=tail)
    entries = answer.get("events") or answer.get("audit") or []
    if as_json:
        put_json(answer)
    elif not entries:
        say("Nobody was refused anything.")
    else:
        rows = [
            [clock(float(e.get("at") or 0)), str(e.get("process", "")), str(e.get("principal", "")),
             str(e.get("action", "")), str(e.get("resource", "")), "allowed" if e.get("allowed") else "refused",
             str(e.get("reason", ""))]
            for e in entries
        ]  # fmt: skip
        put(table(["at", "process", "who", "action", "on what", "answer", "why"], rows))
