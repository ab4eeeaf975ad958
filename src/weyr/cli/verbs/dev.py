"""`weyr dev`: which sessions there are, what each costs, and how one gets in."""

import re
from typing import Annotated

import typer

from weyr.cli.client import Client
from weyr.cli.completing import sessions
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.objects import Row, rows_of
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.cli.select import the_object
from weyr.core.diagnostic import WeyrError
from weyr.core.units import money_text

app = verb_app()
WITH_TOKEN = re.compile(r"https?://127\.0\.0\.1:[0-9]+/\S*token=\S+")
"""JupyterLab prints its address with the token that it drew; nobody else knows it."""


@verb(app, "weyr dev\nweyr dev notebook")
def dev(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A session.", autocompletion=sessions)] = "",
    stack: Stack = "",
    as_json: AsJson = False,
) -> None:
    """List development sessions, or tell how to enter one."""
    session: Session = ctx.obj
    client = reader(session.home)
    if name:
        found = [the_object(client, name if "/" in name else f"dev/{name}", stack)]
    else:
        found = rows_of(client.call("GET", "/v1/objects", stack=stack, kind="dev"))
    told = [_told(client, row) for row in found]
    if as_json:
        put_json({"sessions": told})
    elif name:
        _show_one(told[0])
    elif told:
        put(table(["session", "phase", "address", "cost", "per hour"],
                  [[t["ref"], t["phase"], t["url"], t["cost"], t["rate"]] for t in told]))  # fmt: skip
    else:
        say("There are no development sessions.")


def _told(client: Client, row: Row) -> dict[str, str]:
    """What is known of a session, with the address that opens it."""
    url = str(row.outputs.get("url") or "")
    address = f"{row.stack}:{row.ref}"
    if url:
        try:
            links = [found[0] for line in client.lines("/v1/logs", ref=address) if (found := WITH_TOKEN.search(line))]
        except WeyrError:
            links = []  # it has printed nothing yet
        url = links[-1] if links else url
    return {
        "ref": row.ref, "stack": row.stack, "phase": row.phase, "url": url, "why": row.message,
        "cost": money_text(row.cost_micros), "rate": money_text(row.rate_micros_per_hour),
    }  # fmt: skip


def _show_one(told: dict[str, str]) -> None:
    if told["url"]:
        put(told["url"])
    elif told["phase"] == "ready":
        put(f"weyr exec {told['stack']}:{told['ref']}")
    say(f"{told['ref']} is {told['phase']}: {told['why']}. {told['cost']} so far, {told['rate']} per hour now.")
