"""`weyr cost post`, `correct`, `close`, `periods`, `lines`, `verify`, `reconcile`: keeping the accounts."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.cli.connect import ensured, reader
from weyr.cli.group import Session
from weyr.cli.options import AsJson, Stack
from weyr.cli.reconciling import reconcile
from weyr.cli.screen import clock, put, put_json, say, table
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import Money, money_text
from weyr.ledger.prices import CURRENCY

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays with the lines for good.")]


def post(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="An entry as JSON, - for standard input; instead of the options.")
    ] = "",
    id: Annotated[
        str, typer.Option("--id", metavar="ID", help="The bill's own number. The same one again posts nothing.")
    ] = "",
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Who is owed, such as openai.")] = "",
    amount: Annotated[str, typer.Option("--amount", metavar="MONEY", help="What is owed, such as 12.50 USD.")] = "",
    price: Annotated[
        str, typer.Option("--price", metavar="MONEY/NUMBER", help="Or a price, such as 2.50/1000000, of --quantity.")
    ] = "",
    quantity: Annotated[int, typer.Option("--quantity", metavar="N", help="How many units of --sku.")] = 0,
    sku: Annotated[str, typer.Option("--sku", metavar="SKU", help="What for, such as tokens.in.")] = "",
    day: Annotated[str, typer.Option("--day", metavar="DAY", help="The UTC day that it is of.")] = "",
    stack: Stack = "",
    to: Annotated[str, typer.Option("--to", metavar="KIND/NAME", help="The object that it is for.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="What it is told apart by, as often as needed."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Post what somebody outside charged, so that it is on the bill beside all else."""
    session: Session = ctx.obj
    if file:
        entry = _read(file)
    else:
        _given(**{"--id": id, "--source": source, "--day": day, "--stack": stack})
        micros = _micros(amount, price, quantity)
        charge: dict[str, Any] = {"stack": stack, "source": source, "micros": micros, "quantity": quantity, "day": day}
        charge |= {name: value for name, value in (("sku", sku), ("object", to)) if value}
        charge["labels"] = dict(_label(text) for text in label or [])
        entry = {"id": id, "reason": reason, "charges": [charge]}
    answer = ensured(session.home, is_auto=True)[0].call("POST", "/v1/cost/entries", entry)
    _tell(answer, as_json)


def correct(
    ctx: typer.Context,
    line: Annotated[int, typer.Argument(metavar="LINE", help="Its number, from weyr cost lines.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays with the lines for good.")],
    amount: Annotated[
        str, typer.Option("--amount", metavar="MONEY", help="What it should have come to; without it, nothing.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Take a line of the journal back, and post it anew with another amount. The line itself stays."""
    session: Session = ctx.obj
    _given(**{"--reason": reason})
    micros = _money(amount) if amount else None
    body = {"line": line, "micros": micros, "reason": reason}
    _tell(ensured(session.home, is_auto=True)[0].call("POST", "/v1/cost/corrections", body), as_json)


def close(
    ctx: typer.Context,
    month: Annotated[str, typer.Argument(metavar="MONTH", help="A UTC month that is over, such as 2026-10.")],
    as_json: AsJson = False,
) -> None:
    """Close a month and all before it. What is posted later counts for the first open day, and says so."""
    session: Session = ctx.obj
    answer = ensured(session.home, is_auto=True)[0].call("POST", "/v1/cost/periods", {"period": month})
    if as_json:
        put_json(answer)
    else:
        put(f"{month} is closed, after line {answer['lines']} of the journal, whose hash is {answer['head']}.")


def periods(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the closed months, and the hash that the journal had then."""
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/cost/periods")
    if as_json:
        put_json(answer)
        return
    rows = [[p["period"], clock(p["closed_at"]), p["who"], str(p["lines"]), p["head"]] for p in answer["periods"]]
    put(table(["month", "closed", "by", "lines", "hash"], rows)) if rows else say("No month is closed.")


def lines(
    ctx: typer.Context,
    stack: Stack = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the journal's newest lines, oldest of them first."""
    session: Session = ctx.obj
    answer = reader(session.home).call("GET", "/v1/cost/journal", stack=stack, limit=limit)
    if as_json:
        put_json(answer)
        return
    heads = ["line", "day", "thing", "sku", "USD", "note"]
    rows = [
        [str(line["line"]), line["day"], line["thing"], line["sku"], money_text(line["micros"]), line["note"]]
        for line in answer["lines"]
    ]
    put(table(heads, rows, frozenset({0, 4}))) if rows else say("No lines yet.")


def verify(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Prove that no line of the journal was changed, removed or slipped in. It exits with 1 where one was."""
    session: Session = ctx.obj
    proof = reader(session.home).call("GET", "/v1/cost/proof")
    if as_json:
        put_json(proof)
    elif proof["is_whole"]:
        put(f"All {proof['lines']} lines are as they were posted. The last one's hash is {proof['head']}.")
    else:
        detail = f"Lines up to {proof['lines']} are as they were posted, but {proof['fault']}. "
        detail += "A backup that still holds can be brought back, and weyr cost export writes down what is there now."
        raise UserError(Diagnostic("The journal was changed", detail, suggestion="weyr restore --help"))
    if not proof["is_whole"]:
        raise typer.Exit(1)


VERBS: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("weyr cost post --id openai-0311 --source openai --sku tokens.in --quantity 5000000 --price 2.50/1000000 "
     "--day 2026-11-03 --stack digits --label team=support", "post", post),
    ('weyr cost correct 41 --amount "0.03 USD" --reason "half of it was a test"', "correct", correct),
    ("weyr cost close 2026-10", "close", close),
    ("weyr cost periods", "periods", periods),
    ("weyr cost lines --limit 20", "lines", lines),
    ("weyr cost verify", "verify", verify),
    ("weyr cost reconcile aws-2026-11.csv.gz --to shared", "reconcile", reconcile),
)  # fmt: skip
"""What hangs below `weyr cost`: example, name and function of each."""


def _micros(amount: str, price: str, quantity: int) -> int:
    """What is owed: as it is told, or a price of so many units, rounded to the nearest micro-unit."""
    if bool(amount) == bool(price):
        raise UserError(Diagnostic("No amount", "Say either --amount, or --price with --quantity."))
    if amount:
        return _money(amount)
    each, _, number = price.partition("/")
    if not (number.isascii() and number.isdigit() and int(number) and quantity):
        detail = "--price is what so many units cost, such as 2.50/1000000, and goes with --quantity."
        raise UserError(Diagnostic("Not a price", detail))
    whole = 2 * _money(each) * quantity + int(number)
    return whole // (2 * int(number))


def _money(text: str) -> int:
    """Micro-units of `12.50 USD`, or of `12.50`: the ledger keeps its accounts in one currency."""
    is_credit, text = text.startswith("-"), text.removeprefix("-").strip()
    try:
        money = Money.parse(text if text[-1:].isalpha() else f"{text} {CURRENCY}")
    except ValueError as e:
        raise UserError(Diagnostic("Not an amount", f"{e}.")) from e
    if money.currency != CURRENCY:
        detail = f"The ledger keeps its accounts in {CURRENCY}, and {text} is {money.currency}. Convert it first."
        raise UserError(Diagnostic("Another currency", detail, suggestion=f'--amount "... {CURRENCY}"'))
    return -money.micros if is_credit else money.micros


def _given(**options: str) -> None:
    """Raises: UserError with all options that say nothing."""
    if missing := [name for name, value in options.items() if not value.strip()]:
        detail = f"It also needs {', '.join(missing)}. Each of them stays with the line for good."
        raise UserError(Diagnostic("Options are missing", detail))


def _label(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise UserError(Diagnostic("Not a label", f'A label is written KEY=VALUE, and not "{text}".'))
    return key, value


def _read(file: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise UserError(Diagnostic("The entry cannot be read", f"{file}: {e}.")) from e


def _tell(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        put_json(answer)
    elif answer["is_new"]:
        lines = "1 line" if answer["lines"] == 1 else f"{answer['lines']} lines"
        put(f"{answer['id']} is posted: {lines}, {money_text(answer['micros'])} USD together.")
    else:
        put(f"{answer['id']} was posted before; nothing was posted now.")
