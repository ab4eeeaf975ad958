"""`weyr why`: what an object waits for."""

from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import clock, put, put_json, table
from weyr.cli.select import the_object

app = verb_app()


@verb(app, "weyr why job/train")
def why(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="Such as job/train or digits:job/train.", autocompletion=refs)
    ],
    stack: Stack = "",
    as_json: AsJson = False,
) -> None:
    """Say what an object waits for, and what each node lacks.

    Of one that does not wait it says what state it is in, and why.
    """
    session: Session = ctx.obj
    client = reader(session.home)
    row = the_object(client, ref, stack)
    answer = client.call("GET", "/v1/why", ref=f"{row.stack}:{row.ref}")
    if as_json:
        put_json(answer)
        return
    waits = answer.get("waits") or []
    if not waits:
        put(str(answer["sentence"]))
    for each in waits:
        put(f"{', '.join(each['tasks'])}: {each['sentence']}")
        if each.get("starts_at"):
            put(f"  it should start at about {clock(float(each['starts_at']))}")
        if each.get("nodes"):
            put("\n".join(f"  {line}" for line in _lines(each["nodes"])))


def _lines(nodes: list[dict[str, str]]) -> list[str]:
    return table(["node", "lacks"], [[each["node"], each["lacks"]] for each in nodes]).splitlines()
