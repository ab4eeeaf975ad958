"""`weyr top`: how endpoints are doing now."""

import time
from contextlib import suppress
from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.live_table import live_table
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say
from weyr.cli.select import the_object
from weyr.core.diagnostic import Diagnostic, UserError

EVERY_S = 2.0
CLEAR = "\x1b[2J\x1b[H"
app = verb_app()


@verb(app, "weyr top\nweyr top endpoint/digits --json")
def top(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="Only this endpoint, such as endpoint/digits.", autocompletion=refs)
    ] = "",
    stack: Stack = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Look again every two seconds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rates, latencies, replicas and costs of endpoints, by version.

    Rates and latencies are of the last minute. Costs are of the last hour, idle time included.
    """
    session: Session = ctx.obj
    client = writer(session.home)
    name = ""
    if ref:
        row = the_object(client, ref, stack)
        if row.kind != "endpoint":
            detail = f"{row.ref} is no endpoint, and only endpoints are watched."
            raise UserError(Diagnostic("Not an endpoint", detail, suggestion="weyr get endpoints"))
        stack, name = row.stack, row.name
    with suppress(KeyboardInterrupt):
        while True:
            answer = client.call("GET", "/v1/endpoints/live", stack=stack, name=name)
            if as_json:
                put_json(answer)
            elif answer.get("endpoints"):
                put((CLEAR if follow else "") + live_table(answer))
            else:
                say("No endpoint is watched yet.")
            if not follow:
                return
            time.sleep(EVERY_S)
