"""`weyr cost`: what was spent, by whom, and what the month will come to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from weyr.cli.connect import reader
from weyr.cli.group import Session, verb_app, whole_verb
from weyr.cli.money import bill_line
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.core.units import money_text

app = verb_app("Show what was spent, by whom, and what the month will come to.")


class By(StrEnum):
    STACK = "stack"
    KIND = "kind"
    OBJECT = "object"
    DAY = "day"
    THING = "thing"
    SKU = "sku"


@whole_verb(app, "weyr cost --by object")
def cost(
    ctx: typer.Context,
    stack: Stack = "",
    by: Annotated[By, typer.Option("--by", help="What a row stands for.")] = By.OBJECT,
    as_json: AsJson = False,
) -> None:
    """Show what was spent, by whom, and what the month will come to."""
    if ctx.invoked_subcommand is not None:
        return
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/cost", stack=stack, by=by.value)
    if as_json:
        put_json(answer)
        return
    rows = answer.get("rows") or []
    if not rows:
        say("Nothing was spent yet.")
    else:
        put(_listing(answer, rows, by.value))
        put()
    put(bill_line(answer))


def _listing(answer: Mapping[str, Any], rows: list[Mapping[str, Any]], by: str) -> str:
    currency = str(answer.get("currency") or "USD")
    total = int(answer.get("total_micros") or 0)
    lines = [
        [str(row.get("key", "")), money_text(int(row.get("micros") or 0)), _share(int(row.get("micros") or 0), total)]
        for row in rows
    ]
    lines.append(["total", money_text(total), ""])
    return table([by, currency, "share"], lines, frozenset({1, 2}))


def _share(micros: int, total: int) -> str:
    return f"{100 * micros / total:.1f} %" if total > 0 else ""
