"""`weyr get`: what stands, as a table."""

from enum import StrEnum
from typing import Annotated

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.client import Client
from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.live_table import unit_cost_cells
from weyr.cli.objects import Row, rows_of
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.cli.select import Selection, refuse_unknown_kind, selection_of
from weyr.core.units import money_text

UNIT_COSTS = ["per 1,000", "per M tokens"]
"""What an endpoint's requests cost over the last hour, idle time included."""
app = verb_app()


class Output(StrEnum):
    SHORT = "short"
    WIDE = "wide"


@verb(app, "weyr get\nweyr get jobs\nweyr get endpoint/digits -o wide")
def get(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="KIND|REF", help="Such as job, job/train, or stacks.", autocompletion=refs)
    ] = "",
    stack: Stack = "",
    output: Annotated[
        Output, typer.Option("-o", "--output", help="How much of it.", rich_help_panel="Output")
    ] = Output.SHORT,
    as_json: AsJson = False,
) -> None:
    """List stacks and objects, or one object."""
    session: Session = ctx.obj
    client = reader(session.home)
    if what in ("stack", "stacks"):
        _stacks(client, as_json)
        return
    chosen = selection_of(what, stack)
    answer = client.call("GET", "/v1/objects", stack=chosen.stack, kind=chosen.kind, name=chosen.name)
    if chosen.kind and not answer.get("objects"):
        refuse_unknown_kind(client, chosen)
    if as_json:
        put_json(answer)
    else:
        _objects(rows_of(answer), chosen, is_wide=output is Output.WIDE)
    if chosen.name and not answer.get("objects"):
        raise typer.Exit(FAILED)


def _stacks(client: Client, as_json: bool) -> None:
    answer = client.call("GET", "/v1/stacks")
    if as_json:
        put_json(answer)
        return
    rows = [
        [
            str(entry.get("stack") or entry.get("name") or ""),
            str(entry.get("objects") or "-"),
            str(entry.get("plan") or "-"),
        ]
        for entry in answer.get("stacks") or []
    ]
    put(table(["stack", "objects", "plan"], rows)) if rows else say("No stack stands.")


def _objects(rows: list[Row], chosen: Selection, is_wide: bool) -> None:
    if not rows:
        say(f"There is no {chosen.text}." if chosen.text else "No stack stands.")
        return
    has_several = len({row.stack for row in rows}) > 1
    headings = [*(["stack"] if has_several else []), "object", "phase"]
    headings += ["things", "per hour", "cost"] if is_wide else []
    has_unit_cost = any(row.unit_cost for row in rows) and (is_wide or {row.kind for row in rows} == {"endpoint"})
    headings += UNIT_COSTS if has_unit_cost else []
    lines = [_cells(row, has_several, is_wide, has_unit_cost) for row in rows]
    right = frozenset(i for i, heading in enumerate(headings) if heading in ("things", "per hour", "cost", *UNIT_COSTS))
    put(table([*headings, "what"], lines, right))


def _cells(row: Row, has_stack: bool, is_wide: bool, has_unit_cost: bool) -> list[str]:
    bill = [str(len(row.things)), money_text(row.rate_micros_per_hour), money_text(row.cost_micros)]
    what = row.message or row.reason
    unit_cost = unit_cost_cells(row.unit_cost) if has_unit_cost else ()
    told = [*([row.stack] if has_stack else []), row.ref, row.phase.value, *(bill if is_wide else [])]
    return [*told, *unit_cost, what]
