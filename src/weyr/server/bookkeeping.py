"""How are the accounts kept over the API? Bills from outside, corrections, closed months, the journal and its proof."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, TypeGuard

from starlette.requests import Request

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.grants import Principal, is_allowed
from weyr.core.metering import Line
from weyr.core.ref import NAME, Ref
from weyr.core.units import DAY_S
from weyr.ledger.accounts import EVERYTHING, Cost, Scope, dearest, month_named
from weyr.ledger.allocation import shares_of, spread
from weyr.ledger.books import Books, Entered
from weyr.ledger.entries import Charge, Entry
from weyr.ledger.grouping import Label, grouping_of
from weyr.server.answers import answering, number, patiently
from weyr.server.doorkeeper import lacking
from weyr.server.routes import Handler
from weyr.server.service import Service
from weyr.store.ledger import LedgerStore
from weyr.store.periods import Period

WORD = re.compile(r"[\w.@+:/-]{1,200}")
MICROS_MAX = 10**15
"""A billion of the currency's units: an amount beyond is a mistake."""
CREDIT = "ledger:write"
CHARGES_MAX = 10_000
YEARS = range(2000, 2100)
"""A day before or after them is a slip of the pen, which no correction takes out of the days of a chart."""
ROWS_MAX = 100_000


def bookkeeping_handlers(service: Service) -> dict[str, Handler]:
    """Handlers of what is posted by somebody, and of what proves the rest."""
    books = Books(LedgerStore(service.weyr.db))

    def get_cost(request: Request, _body: Any) -> Any:
        return cost_asked(service, request.query_params)

    def post_entry(request: Request, body: Any) -> Any:
        entry = entry_of(body, str(request.state.principal.name))
        _refuse_credit(request, entry)
        return _entered_json(books.enter(entry, service.billed_at()))

    def correct_line(request: Request, body: Any) -> Any:
        fields = _fields(body)
        seq, micros = fields.get("line"), fields.get("micros")
        if not isinstance(seq, int) or not (micros is None or _is_amount(micros)):
            raise _invalid('"line" is a line\'s number, and "micros" the amount that it should have had, or null')
        who, at = str(request.state.principal.name), service.billed_at()
        return _entered_json(books.correct(seq, micros, who, _text(fields, "reason"), at))

    def close_period(request: Request, body: Any) -> Any:
        name = _text(_fields(body), "period")
        return _period_json(books.close(name, str(request.state.principal.name), service.billed_at()))

    def list_lines(request: Request, _body: Any) -> Any:
        limit = number("limit", request.query_params.get("limit"), default=100, at_most=10_000)
        found = books.lines(request.query_params.get("stack") or None, limit)
        return {"lines": [_line_json(line) for line in found]}

    def prove() -> Any:
        proof = books.verify()
        return {"lines": proof.lines, "head": proof.head, "is_whole": not proof.fault, "fault": proof.fault}

    return {
        "get_cost": answering(get_cost),
        "post_entry": answering(post_entry),
        "correct_line": answering(correct_line),
        "close_period": answering(close_period),
        "list_periods": answering(lambda _request, _body: {"periods": [_period_json(p) for p in books.periods()]}),
        "list_lines": answering(list_lines),
        "prove_journal": patiently(prove),
    }


def _refuse_credit(request: Request, entry: Entry) -> None:
    """What takes money off the bill gives a spent limit room again: whom a limit holds must not be the one to post it.

    Raises: UserError.
    """
    principal: Principal = request.state.principal
    is_credit = any(charge.micros < 0 for charge in entry.charges)
    if is_credit and not is_allowed(principal.grants, CREDIT, request.url.path):
        raise UserError(lacking(principal, f"{CREDIT}:{request.url.path}"))


def cost_asked(service: Service, query: Mapping[str, str]) -> dict[str, Any]:
    """The bill that a request asks for."""
    by, scope = grouping_of(query.get("by", "object")), EVERYTHING
    if query.get("period"):
        month = month_named(query["period"])
        scope = Scope(None, month.first_day, month.last_day)
    cost = service.weyr.ledger.cost(query.get("stack") or None, by, service.billed_at(), scope)
    if query.get("share") and query.get("spread") == "1":
        detail = "What is of nobody is shared out by what each has spent, or by fixed parts, but not by both."
        raise UserError(Diagnostic("Shared out twice", detail, suggestion=f"weyr cost --by {by} --share a=60,b=40"))
    if (query.get("share") or query.get("spread") == "1") and not isinstance(by, Label):
        detail = f"Every line is of some {by}: nothing is left over to share out. Labels such as team may be missing."
        raise UserError(Diagnostic("Nothing to share out", detail, suggestion="weyr cost --by team --spread"))
    if query.get("share") or query.get("spread") == "1":
        cost = spread(cost, shares_of(query["share"]) if query.get("share") else None)
    top = number("top", query.get("top"), default=0, at_most=ROWS_MAX)
    return cost_json(dearest(cost, top) if top else cost)


def cost_json(cost: Cost) -> dict[str, Any]:
    return {
        "currency": cost.currency,
        "by": str(cost.by),
        "rows": [
            {"key": row.key, "micros": row.micros, "rate_micros_per_hour": row.rate_micros_per_hour}
            for row in cost.rows
        ],
        "others": None
        if cost.others is None
        else {
            "rows": cost.others.rows,
            "micros": cost.others.micros,
            "rate_micros_per_hour": cost.others.rate_micros_per_hour,
        },
        "total_micros": cost.total_micros,
        "rate_micros_per_hour": cost.rate_micros_per_hour,
        "month": cost.month,
        "month_micros": cost.month_micros,
        "forecast_month_micros": cost.forecast_month_micros,
        "unpriced": list(cost.unpriced),
    }


def entry_of(body: Any, who: str) -> Entry:
    """An entry as it is posted: `{"id", "reason", "charges": [{"stack", "source", "sku", "micros", "day", ...}]}`.

    Raises: UserError, with what is wrong with the first charge that cannot be taken.
    """
    fields = _fields(body)
    charges = fields.get("charges")
    if not isinstance(charges, list) or not 0 < len(charges) <= CHARGES_MAX:
        raise _invalid(f'"charges" lists between 1 and {CHARGES_MAX:,} amounts')
    reason = fields.get("reason", "")
    return Entry(_word(fields, "id"), tuple(_charge(each) for each in charges), who, str(reason)[:2000])


def _charge(body: Any) -> Charge:
    fields = _fields(body)
    source, micros, quantity = _word(fields, "source"), fields.get("micros"), fields.get("quantity", 0)
    if not _is_amount(micros) or not _is_amount(quantity):
        raise _invalid('"micros" and "quantity" are whole numbers: millionths of the currency, units of the SKU')
    labels = fields.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(word, str) for pair in labels.items() for word in pair):
        raise _invalid('"labels" are texts by name, such as {"team": "vision"}')
    day, ref = _day(fields), _charged(fields, source)
    from_ms = round((date.fromisoformat(day) - date(1970, 1, 1)) / timedelta(days=1)) * DAY_S * 1000
    return Charge(
        ref=ref,
        sku=_word(fields, "sku", default=f"outside.{source}"),
        source=source,
        micros=micros,
        from_ms=from_ms,
        to_ms=from_ms + DAY_S * 1000,
        day=day,
        quantity=quantity,
        labels=tuple(sorted(labels.items())),
    )


def _charged(fields: Mapping[str, Any], source: str) -> Ref:
    """Whose cost it is: the object that is named, or what the stack has from that source."""
    stack, named = _text(fields, "stack"), fields.get("object", "")
    if not NAME.fullmatch(stack):
        raise _invalid(f'"{stack}" cannot be the name of a stack')
    if not named:
        return Ref(stack, "outside", re.sub(r"[^a-z0-9-]", "-", source.lower())[:63])
    try:
        return replace(Ref.parse(str(named), stack), stack=stack)
    except ValueError as e:
        raise UserError(Diagnostic("Invalid address", f"{e}.")) from e


def _day(fields: Mapping[str, Any]) -> str:
    text = _text(fields, "day")
    try:
        day = date.fromisoformat(text)
    except ValueError as e:
        raise _invalid(f'"day" is a UTC day such as 2026-11-03, and not "{text}"') from e
    if day.year not in YEARS:
        raise _invalid(f'"day" is between {YEARS[0]} and {YEARS[-1]}, and not "{text}"')
    return day.isoformat()


def _fields(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise _invalid("The body is an object")
    return body


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or len(value) > 2000:
        raise UserError(Diagnostic("Missing field", f'The body needs "{name}", a text.'))
    return value


def _word(fields: Mapping[str, Any], name: str, default: str = "") -> str:
    value = fields.get(name) or default
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise _invalid(f'"{name}" is a word of up to 200 letters, digits and ._@+:/-')
    return value


def _is_amount(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MICROS_MAX


def _invalid(detail: str) -> UserError:
    return UserError(Diagnostic("Invalid value", f"{detail}."))


def _entered_json(entered: Entered) -> dict[str, Any]:
    return {"id": entered.id, "is_new": entered.is_new, "lines": entered.lines, "micros": entered.micros}


def _period_json(period: Period) -> dict[str, Any]:
    return {
        "period": period.name, "last_day": period.last_day, "closed_at": period.closed_ms / 1000, "who": period.who,
        "lines": period.seq, "head": period.hash.hex(),
    }  # fmt: skip


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "line": line.seq, "day": line.day, "thing": str(line.thing), "sku": line.sku, "micros": line.signed_micros,
        "debit": line.debit, "credit": line.credit, "from": line.from_ms / 1000, "to": line.to_ms / 1000,
        "used": str(line.used), "entry": line.entry, "note": line.note, "who": line.who,
    }  # fmt: skip
