"""How is the bill drawn and exported? The days for a chart, the journal as CSV, and the page that shows both."""

from collections.abc import Iterator
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.bills.posted import OWED, owed_row
from weyr.ledger.days import Days
from weyr.ledger.focus.columns import Format, columns_of
from weyr.ledger.focus.csv_text import csv_pieces
from weyr.ledger.focus.rows import Row, Rows, line_row
from weyr.ledger.grouping import grouping_of
from weyr.ledger.prices import CURRENCY
from weyr.server.answers import answering
from weyr.server.days import days_asked
from weyr.server.routes import Handler, Media
from weyr.server.service import Service
from weyr.server.units import units_json

POLICY = "; ".join((
    "default-src 'none'", "style-src 'unsafe-inline'", "script-src 'unsafe-inline'", "img-src data:",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""Of the page: its own script and style are inside, it loads nothing, and it asks nobody but this server."""


def money_handlers(service: Service) -> dict[str, Handler]:
    """cost_days, cost_lines, cost_owed, count_lines, cost_units, cost_page."""

    def cost_days(request: Request, _body: object) -> object:
        first, last = days_asked(request)
        by, stack = grouping_of(request.query_params.get("by", "object")), request.query_params.get("stack") or None
        return days_json(service.weyr.ledger.days(stack, by, service.billed_at(), first, last))

    def cost_lines(request: Request, _body: object) -> Response:
        first, last = days_asked(request)
        format = _format(request.query_params.get("format", Format.FOCUS.value))
        rows = _rows(service, format, request.query_params.get("stack") or None, first, last)
        pieces = csv_pieces(columns_of(format), rows)
        return StreamingResponse(pieces, media_type=f"{Media.CSV.value}; charset=utf-8", headers=_named(format, first))

    def cost_owed(request: Request, _body: object) -> Response:
        rows = map(owed_row, service.weyr.ledger.owed(days_asked(request)[0]))
        return StreamingResponse(csv_pieces(OWED, rows), media_type=f"{Media.CSV.value}; charset=utf-8")

    def count_lines(request: Request, _body: object) -> object:
        return {"lines": service.weyr.ledger.count(request.query_params.get("stack") or None, *days_asked(request))}

    page = resources.files("weyr.server").joinpath("cost.html").read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}

    return {
        "cost_days": answering(cost_days),
        "cost_lines": answering(cost_lines),
        "cost_owed": answering(cost_owed),
        "count_lines": answering(count_lines),
        "cost_units": answering(lambda request, _body: units_json(service, request)),
        "cost_page": answering(lambda _request, _body: HTMLResponse(page, headers=headers)),
    }


def days_json(days: Days) -> dict[str, Any]:
    return {
        "currency": CURRENCY,
        "by": days.by.value,
        "days": list(days.days),
        "rows": [{"key": key, "micros": list(micros)} for key, micros in days.micros.items()],
        "month_days": list(days.month_days),
        "month_micros": list(days.month_micros),
        "forecast_micros": list(days.forecast_micros),
    }


def _rows(service: Service, format: Format, stack: str | None, first: str, last: str) -> Iterator[Row]:
    charges = service.weyr.ledger.charges(stack, first, last)
    if format is Format.LINES:
        return (line_row(charge) for charge in charges)
    made = Rows(service.weyr.catalogue.books, stack, service.weyr.ledger.coverages())
    return (row for charge in charges for row in made.of(charge))


def _format(text: str) -> Format:
    try:
        return Format(text)
    except ValueError as e:
        known = [format.value for format in Format]
        detail = f"A bill cannot be exported as {text[:40]!r}.{did_you_mean(text, known)} Known: {', '.join(known)}."
        raise UserError(Diagnostic("Unknown format of a bill", detail)) from e


def _named(format: Format, first: str) -> dict[str, str]:
    """What a browser saves it as."""
    name = "-".join(part for part in ("weyr", format.value, first) if part)
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}
