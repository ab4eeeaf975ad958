"""`weyr why`: what an object waits for."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.objects import Row
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import clock, put, put_json, say, table
from weyr.cli.select import the_object
from weyr.core.decision import Phase

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

    Of one that does not wait it says what state it is in, and why; of one that scales, why it has so many replicas.
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
        if step := next_step(row, str(answer["sentence"])):
            say(step)
    put_scaling(answer)
    for each in waits:
        put(f"{', '.join(each['tasks'])}: {each['sentence']}")
        if each.get("starts_at"):
            put(f"  it should start at about {clock(float(each['starts_at']))}")
        if each.get("nodes"):
            put("\n".join(f"  {line}" for line in _lines(each["nodes"])))


_BUDGET = re.compile(r"(?:([a-z0-9-]+):)?budget/")
"""A budget of another stack is named with it."""


def next_step(row: Row, sentence: str) -> str:
    """What can be done where money is what lacks; "" where it is something else."""
    if row.phase is Phase.HELD and (budget := _BUDGET.search(sentence)):
        whose = budget[1] or row.stack
        return f"Raise that limit, or wait for its next period; all limits: weyr budgets --stack {whose}"
    if row.phase is Phase.FAILED and "and may cost" in sentence:
        return "Raise its max_cost and bring it up again: weyr up"
    return ""


def put_scaling(answer: Mapping[str, Any]) -> None:
    """How many replicas there should be, and what that rests on; nothing for what does not scale."""
    if scaling := answer.get("scaling"):
        count = scaling["replicas"]
        put(f"It should have {count} replica{'s' if count != 1 else ''}: {scaling['why']}.")


def _lines(nodes: list[dict[str, str]]) -> list[str]:
    return table(["node", "lacks"], [[each["node"], each["lacks"]] for each in nodes]).splitlines()
