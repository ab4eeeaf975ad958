"""Which charts does a bill make? What was spent on each day, and how far the month goes against its budget."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from weyr.charts.chart import Bars, Series
from weyr.charts.text import bars
from weyr.cli.client import Client
from weyr.cli.screen import has_colour, put, say, width
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import MICROS

PARTS_MAX = 7
"""So many colours can be told apart; what cost less goes together."""


COLUMNS = 100
"""Where nobody looks: wide enough for a file that is read later."""


def images(png: Path | None, svg: Path | None) -> list[Path]:
    """The files that were asked for. Raises: UserError where a name says that it is something else."""
    asked = {".png": png, ".svg": svg}
    strange = {end: path for end, path in asked.items() if path is not None and path.suffix.lower() != end}
    if strange:
        raise UserError(*(_strange(f"--{end[1:]}", end, path) for end, path in strange.items()))
    return [path for path in asked.values() if path is not None]


def _strange(option: str, end: str, path: Path) -> Diagnostic:
    detail = f"{option} draws a file that ends in {end}, and {path} does not."
    return Diagnostic("Unknown format of an image", detail, suggestion=f"{option} {path.with_suffix(end)}")


def draw(client: Client, asked: Mapping[str, object], is_shown: bool, images: Sequence[Path]) -> None:
    """Asks for the days of a bill and draws them: on the screen, and into each of the images."""
    days = client.call("GET", "/v1/cost/days", **asked)
    charts = charts_of(days, _limit(client, str(asked["stack"]), days["month_days"][0][:7]))
    for path in images:
        # Matplotlib is an extra, and loading it takes a second.
        import_module("weyr.charts.image").save(charts, path)
        say(f"Drawn: {path}")
    if is_shown:
        is_plain = not (sys.stdout.encoding or "").lower().startswith("utf")
        drawn = [bars(chart, width(sys.stdout) or COLUMNS, has_colour(sys.stdout), is_plain) for chart in charts]
        put("\n\n".join(drawn))


def _limit(client: Client, stack: str, month: str) -> int | None:
    """The lowest limit on what is drawn; None where stacks are drawn together. One on a queue's, a person's or a
    team's part, or for another time than the month, says nothing of the whole."""
    stacks = [stack] if stack else [row["key"] for row in client.call("GET", "/v1/cost", by="stack")["rows"]]
    if len(stacks) != 1:
        return None
    budgets = client.call("GET", "/v1/objects", kind="budget", stack=stacks[0])["objects"]
    told = [budget.get("outputs") or {} for budget in budgets]
    whole = [each for each in told if (each.get("of"), each.get("period")) == (f"stack {stacks[0]}", month)]
    return min((int(each["limit_micros"]) for each in whole), default=None)


def charts_of(days: Mapping[str, Any], limit_micros: int | None) -> tuple[Bars, Bars]:
    """The charts of `/v1/cost/days`, with a budget's limit where there is one for all of it."""
    currency = str(days["currency"])
    daily = Bars(f"Spent by day and {days['by']}", currency, _short(days["days"]), _parts(days["rows"]))
    return daily, _month(days, limit_micros, currency)


def _parts(rows: Sequence[Mapping[str, Any]]) -> tuple[Series, ...]:
    shown, rest = rows[:PARTS_MAX], rows[PARTS_MAX:]
    parts = [Series(str(row["key"]), _units(row["micros"])) for row in shown]
    if rest:
        sums = [sum(values) for values in zip(*(row["micros"] for row in rest), strict=True)]
        parts.append(Series(f"{len(rest)} others", _units(sums)))
    return tuple(parts)


def _month(days: Mapping[str, Any], limit_micros: int | None, currency: str) -> Bars:
    spent, forecast, month = days["month_micros"], days["forecast_micros"], days["month_days"]
    here = spent[-1] if spent else 0
    before, after = len(spent), len(month) - len(spent)
    so_far = (*spent, *[here] * after)
    # Today is in both: what was spent of it, and on top of that what is still to come.
    to_come = (*[0] * (before - 1), *(value - here for value in forecast))
    lines = () if limit_micros is None else (Series("limit of the budget", _units([limit_micros] * len(month))),)
    stacked = (Series("spent", _units(so_far)), Series("forecast", _units(to_come)))
    return Bars(f"Come to in {month[0][:7]}", currency, _short(month), stacked, lines)


def _units(micros: Sequence[int]) -> tuple[float, ...]:
    return tuple(value / MICROS for value in micros)


def _short(days: Sequence[str]) -> tuple[str, ...]:
    """Without the year where all are of one."""
    return tuple(day[5:] for day in days) if len({day[:4] for day in days}) == 1 else tuple(days)
