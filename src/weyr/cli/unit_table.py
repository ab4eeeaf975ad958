"""`weyr cost units`: what one answer, token, training run or version costs, as a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from weyr.cli.connect import reader
from weyr.cli.group import Session
from weyr.cli.options import AsJson, Period, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.core.units import money_text

UNITS = ("endpoint", "run", "model", "dataset", "experiment")
ROWS_MAX = 40
Row = Mapping[str, Any]


def units(
    ctx: typer.Context,
    stack: Stack = "",
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="WHAT",
            help=f"What a row is of: {', '.join(UNITS)}.",
            autocompletion=lambda incomplete: [unit for unit in UNITS if unit.startswith(incomplete)],
        ),
    ] = "endpoint",
    period: Period = "",
    weight: Annotated[
        int, typer.Option("--weight", metavar="N", help="As how many tokens that are read one that is written counts.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Show what a thousand answers, a million tokens, a training run or a version cost.

    Of endpoints and services their whole time is in it, idle or not. A run's cost is its part of the task that logged
    it; that of a model's version is what the run that made it cost, that of a dataset's what learned from it.
    """
    session: Session = ctx.obj
    asked = {"stack": stack, "by": by, "period": period, "weight": str(weight), "fresh": "1"}
    answer = reader(session.home).call("GET", "/v1/cost/units", **asked)
    if as_json:
        put_json(answer)
        return
    rows: Sequence[Row] = answer.get("rows") or []
    if not rows:
        say("No endpoint answered yet." if by == "endpoint" else "No task has logged a run yet.")
        return
    currency = str(answer.get("currency") or "USD")
    head, line = _SHAPES.get(by, _MADE)
    columns = [by if name == "key" else name.replace("$", currency) for name in head]
    put(table(columns, [line(row) for row in rows[:ROWS_MAX]], frozenset(range(1, len(columns)))))
    if len(rows) > ROWS_MAX:
        say(f"{len(rows) - ROWS_MAX} more with --json.")
    if by == "endpoint" and not answer.get("is_fresh"):
        say("As of the server's last look: none runs that could read the counters now.")


def _served(row: Row) -> list[str]:
    counts = [f"{int(row.get(name) or 0):,}" for name in ("requests", "tokens_in", "tokens_out")]
    prices = ("per_thousand_requests_micros", "per_million_tokens_in_micros", "per_million_tokens_out_micros")
    return [str(row.get("key")), _money(row, "micros"), *counts, *(_money(row, name) for name in prices)]


def _run(row: Row) -> list[str]:
    return [str(row.get("name")), _money(row, "micros"), str(row.get("status")), str(row.get("experiment")),
            str(row.get("task")), str(row.get("key"))]  # fmt: skip


def _made(row: Row) -> list[str]:
    return [str(row.get("key")), _money(row, "micros"), str(row.get("runs")), _money(row, "per_run_micros")]


def _money(row: Row, name: str) -> str:
    micros = row.get(name)
    return "" if micros is None else money_text(int(micros))


Shape = tuple[tuple[str, ...], Callable[[Row], list[str]]]
_MADE: Shape = (("key", "$", "runs", "$ per run"), _made)
_SHAPES: Mapping[str, Shape] = {
    "endpoint": (
        ("key", "$", "answers", "tokens in", "tokens out", "per 1,000 answers", "per 1M in", "per 1M out"), _served,
    ),
    "run": (("key", "$", "status", "experiment", "task", "id"), _run),
}  # fmt: skip
