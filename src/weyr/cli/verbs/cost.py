"""`weyr cost`: what was spent, by whom, and what the month will come to."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.cli.advice import chosen, hint, show_advice
from weyr.cli.applying_advice import apply_advice
from weyr.cli.bookkeeping import VERBS as BOOKKEEPING
from weyr.cli.connect import reader, writer
from weyr.cli.cost_charts import draw, images
from weyr.cli.exports import FromDay, ToDay, add_exports, page_address
from weyr.cli.group import Session, verb, verb_app, whole_verb
from weyr.cli.limits import limits_json, limits_of, limits_table
from weyr.cli.money import bill_line
from weyr.cli.options import AsJson, Period, Stack, Timeout, Yes
from weyr.cli.screen import put, put_json, say, table
from weyr.cli.unit_table import units
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import money_text

WAYS = (
    "object", "stack", "kind", "thing", "day", "sku", "team", "project", "user", "model", "endpoint", "experiment",
    "provider", "region",
)  # fmt: skip
app = verb_app("Show what was spent, by whom, and what the month will come to.")


@whole_verb(app, "weyr cost --by object\nweyr cost --by team --period 2026-10 --spread")
def cost(
    ctx: typer.Context,
    stack: Stack = "",
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="WHAT",
            help=f"What a row stands for: {', '.join(WAYS)}, or tag:KEY.",
            autocompletion=lambda incomplete: [way for way in WAYS if way.startswith(incomplete)],
        ),
    ] = "object",
    period: Period = "",
    is_spread: Annotated[
        bool, typer.Option("--spread", help="Share out what is of nobody, by what each has spent.")
    ] = False,
    share: Annotated[
        str, typer.Option("--share", metavar="NAME=PARTS,...", help="Share it out by fixed parts instead.")
    ] = "",
    top: Annotated[int, typer.Option("--top", min=0, help="Only so many rows, those that cost most; 0 for all.")] = 0,
    as_json: AsJson = False,
    chart: Annotated[bool, typer.Option("--chart", help="Draw it by day.", rich_help_panel="Charts")] = False,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it as a PNG.", rich_help_panel="Charts")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it as an SVG.", rich_help_panel="Charts")
    ] = None,
    from_day: FromDay = "",
    to_day: ToDay = "",
    is_page: Annotated[
        bool, typer.Option("--page", help="Print the address of the page that shows it.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Show what was spent, by whom, and what the month will come to.

    A label that something did not have when it came up is empty: its row is what nobody is named for, idle machines
    among it, until it is shared out.
    """
    if ctx.invoked_subcommand is not None:
        return
    session: Session = ctx.obj
    if is_page:
        put(page_address(writer(session.home)))
        return
    if chart or png or svg:
        if is_spread or share:
            detail = "A chart shows who spent it. What is of nobody is shared out in the bill, not in the days."
            raise UserError(Diagnostic("A share cannot be drawn", detail, suggestion=f"weyr cost --by {by} --spread"))
        days = {"from": from_day, "to": to_day, "period": period}
        asked = {"stack": stack, "by": "object" if by == "day" else by, **days}
        draw(reader(session.home), asked, chart, images(png, svg))
        return
    if from_day or to_day:
        detail = "The bill is told since the beginning; days can be chosen for a chart and for an export."
        suggestion = f"weyr cost --chart --from {from_day or 'DAY'}"
        raise UserError(Diagnostic("Days without a chart", detail, suggestion=suggestion))
    client = reader(session.home)
    shared = {"share": share, "spread": "1" if is_spread else ""}
    answer = client.call("GET", "/v1/cost", stack=stack, by=by, period=period, top=top or "", **shared)
    limits = limits_of(client, stack)
    if as_json:
        put_json({**answer, "budgets": limits_json(limits)})
        return
    rows = answer.get("rows") or []
    if not rows:
        say("Nothing was spent yet.")
    else:
        put(_listing(answer, rows, by))
        put()
    put(bill_line(answer))
    if limits:
        put()
        put(limits_table(limits))
    if waste := hint(client, stack):
        say(waste)


@verb(app, "weyr cost advise\nweyr cost advise --apply digits:job/train:oversized")
def advise(
    ctx: typer.Context,
    findings: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Only these: a finding's id, or an object.")
    ] = None,
    stack: Stack = "",
    idle: Annotated[
        str, typer.Option("--idle", metavar="DURATION", help="How long something did nothing that is called idle.")
    ] = "1h",
    is_applied: Annotated[
        bool, typer.Option("--apply", help="Change the stack file, show the plan, ask, and carry it out.")
    ] = False,
    yes: Yes = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Find what is wasted, what it costs in a month, and what to change.

    With --apply the stack file is changed in its own lines, once the plan was shown and agreed to. What would delete
    something is changed only where it is named.
    """
    session: Session = ctx.obj
    asked = {"stack": stack, "idle": idle}
    if is_applied:
        server = writer(session.home)
        found = chosen(server.call("GET", "/v1/advice", **asked), findings or [])
        apply_advice(server, found, bool(findings), yes, timeout, as_json)
        return
    answer = reader(session.home).call("GET", "/v1/advice", **asked)
    found = chosen(answer, findings or [])
    if as_json:
        put_json({**answer, "savings": found})
    elif found:
        show_advice({**answer, "savings": found}, sys.stdout)
        say("\nChange it with: weyr cost advise --apply [ID...]")
    else:
        say(f"Nothing is wasted, as far as was seen. Idle is what did nothing for {idle}.")


verb(app, "weyr cost units\nweyr cost units --by run", "units")(units)
for _example, _name, _function in BOOKKEEPING:
    verb(app, _example, _name)(_function)


def _listing(answer: Mapping[str, Any], rows: list[Mapping[str, Any]], by: str) -> str:
    currency = str(answer.get("currency") or "USD")
    total = int(answer.get("total_micros") or 0)
    lines = [
        [str(row.get("key") or "(nobody)"), money_text(micros), _share(micros, total)]
        for row in rows
        for micros in (int(row.get("micros") or 0),)
    ]
    if others := answer.get("others"):
        lines.append([f"({others['rows']:,} others)", money_text(others["micros"]), _share(others["micros"], total)])
    lines.append(["total", money_text(total), ""])
    return table([by, currency, "share"], lines, frozenset({1, 2}))


def _share(micros: int, total: int) -> str:
    return f"{100 * micros / total:z.1f} %" if total > 0 else ""


add_exports(app)
