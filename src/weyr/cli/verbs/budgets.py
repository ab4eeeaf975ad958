"""`weyr budgets`: the limits, what is spent of them, what is set aside, and where each period will end."""

from collections.abc import Mapping
from typing import Any

import typer

from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.objects import Row, rows_of
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.core.units import money_text

FIGURES = ("limit", "spent", "reserved", "left", "forecast")
app = verb_app()


@verb(app, "weyr budgets\nweyr budgets --stack digits --json")
def budgets(ctx: typer.Context, stack: Stack = "", as_json: AsJson = False) -> None:
    """Show the limits: what is spent, set aside and left of each, and where it will end.

    As it was reckoned last: a running server does that every two seconds.
    """
    session: Session = ctx.obj
    rows = rows_of(reader(session.home).call("GET", "/v1/objects", stack=stack, kind="budget"))
    if as_json:
        put_json({"budgets": [_json(row) for row in rows]})
        return
    if not rows:
        say("There are no budgets.")
        return
    head = ["budget", "of", "period", *FIGURES, "currency", "then", "state"]
    put(table(head, [_line(row) for row in rows], frozenset(range(3, 3 + len(FIGURES)))))


def _json(row: Row) -> Mapping[str, Any]:
    return {"budget": f"{row.stack}:{row.ref}", "phase": row.phase.value, "message": row.message, **row.outputs}


def _line(row: Row) -> list[str]:
    out = row.outputs
    money = [money_text(int(out[f"{name}_micros"])) if f"{name}_micros" in out else "" for name in FIGURES]
    words = [str(out.get(name, "")) for name in ("of", "period")]
    state = "spent" if out.get("stopping") else row.phase.value
    return [f"{row.stack}:{row.name}", *words, *money, str(out.get("currency", "")), str(out.get("then", "")), state]
