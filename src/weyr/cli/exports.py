"""How does the bill leave Weyr? `weyr cost export` and `weyr cost sql`, and the address of the page."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.cli.bar import counted
from weyr.cli.client import Client, HttpClient
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say, table
from weyr.cli.tables import extra, put_csv, told, write, write_duckdb
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.focus.columns import Format, columns_of

FromDay = Annotated[str, typer.Option("--from", metavar="DAY", help="From this day on (UTC), such as 2026-11-01.")]
Period = Annotated[str, typer.Option("--period", metavar="MONTH", help="A UTC month, such as 2026-11, instead.")]
ToDay = Annotated[str, typer.Option("--to", metavar="DAY", help="Up to this day and with it.")]
Columns = Annotated[
    Format, typer.Option("--format", help="FOCUS 1.2, the same under the names of FOCUS 1.4, or the journal's lines.")
]


def add_exports(app: typer.Typer) -> None:
    """Registers both verbs below `weyr cost`."""
    verb(app, "weyr cost export --from 2026-11-01 --to 2026-11-30")(export)
    verb(app, "weyr cost sql 'SELECT * FROM by_day'")(sql)


def export(
    ctx: typer.Context,
    format: Columns = Format.FOCUS,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A file that ends in .csv, .parquet or .duckdb."),
    ] = None,
    stack: Stack = "",
    from_day: FromDay = "",
    to_day: ToDay = "",
    period: Period = "",
) -> None:
    """Write the bill line by line in FOCUS, the open form of bills; without a file, as CSV to the output."""
    session: Session = ctx.obj
    client = reader(session.home)
    with _lines(client, format, {"stack": stack, "from": from_day, "to": to_day, "period": period}) as (lines, total):
        if output is None:
            put_csv(lines)
        else:
            write(lines, columns_of(format), output)
            say(f"{total:,} lines: {output}")


def sql(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(metavar="SQL", help="A question in DuckDB's SQL, of the table bill.")],
    format: Columns = Format.FOCUS,
    stack: Stack = "",
    from_day: FromDay = "",
    to_day: ToDay = "",
    period: Period = "",
    as_json: AsJson = False,
) -> None:
    """Ask the bill a question in SQL. Beside `bill`, whose columns are FOCUS', there are by_day, by_object, by_service
    and by_tag."""
    session: Session = ctx.obj
    duckdb = extra("duckdb")
    client = reader(session.home)
    with tempfile.TemporaryDirectory(prefix="weyr-") as folder:
        path = Path(folder) / "bill.duckdb"
        with _lines(client, format, {"stack": stack, "from": from_day, "to": to_day, "period": period}) as (lines, _):
            write_duckdb(lines, columns_of(format), path)
        with duckdb.connect(str(path)) as database:
            names, rows = _answered(database, duckdb.Error, question)
    if as_json:
        put_json([dict(zip(names, map(_plain, row), strict=True)) for row in rows])
    else:
        put(table(names, [[_text(value) for value in row] for row in rows], _figures(rows)))


def page_address(client: HttpClient) -> str:
    """The cost page with the token in what a browser keeps to itself: the part after `#` is sent to nobody."""
    return f"{client.server.url}/cost#token={client.token}"


@contextmanager
def _lines(client: Client, format: Format, asked: dict[str, object]) -> Iterator[tuple[Iterator[str], int]]:
    """The lines of an export, with a bar that says how far they are, and how many there are."""
    total = int(client.call("GET", "/v1/cost/lines/count", **asked)["lines"])
    with counted("Reading the bill") as tell:
        yield told(client.lines("/v1/cost/lines", format=format.value, **asked), total, tell), total


def _answered(database: Any, error: type[Exception], question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    try:
        answer = database.execute(question)
        return [column[0] for column in answer.description or ()], answer.fetchall()
    except error as e:
        summary = "The question cannot be answered"
        raise UserError(Diagnostic(summary, f"DuckDB says: {e}", suggestion="weyr cost sql 'DESCRIBE bill'")) from e


def _plain(value: Any) -> Any:
    """A value as JSON has it; a decimal is text, as everywhere where money must not become a float."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _text(value: Any) -> str:
    return "" if value is None else f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _figures(rows: list[tuple[Any, ...]]) -> frozenset[int]:
    """The columns that hold numbers."""
    columns = zip(*rows, strict=True)
    return frozenset(n for n, column in enumerate(columns) if all(_is_figure(value) for value in column))


def _is_figure(value: Any) -> bool:
    return value is None or isinstance(value, int | float | Decimal)
