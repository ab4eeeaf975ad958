"""Where do the limits stand? Spent, set aside, left, and where each period will end, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from weyr.cli.client import Client
from weyr.cli.objects import Row, rows_of
from weyr.cli.screen import table
from weyr.core.units import money_text

FIGURES = ("limit", "spent", "reserved", "left", "forecast")


def limits_of(client: Client, stack: str = "") -> Sequence[Row]:
    """The budgets of a stack, or of all, as they were reckoned last."""
    return rows_of(client.call("GET", "/v1/objects", stack=stack, kind="budget"))


def limits_json(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    return [
        {"budget": f"{row.stack}:{row.ref}", "phase": row.phase.value, "message": row.message, **row.outputs}
        for row in rows
    ]


def limits_table(rows: Sequence[Row]) -> str:
    """A row for each, figures to the right."""
    head = ["budget", "of", "period", *FIGURES, "currency", "then", "state"]
    return table(head, [_line(row) for row in rows], frozenset(range(3, 3 + len(FIGURES))))


def _line(row: Row) -> list[str]:
    out = row.outputs
    money = [money_text(int(out[f"{name}_micros"])) if f"{name}_micros" in out else "" for name in FIGURES]
    words = [str(out.get(name, "")) for name in ("of", "period")]
    state = "spent" if out.get("stopping") else row.phase.value
    return [f"{row.stack}:{row.name}", *words, *money, str(out.get("currency", "")), str(out.get("then", "")), state]
