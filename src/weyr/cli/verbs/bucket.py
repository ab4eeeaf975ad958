"""`weyr bucket`: what fills a bucket, and what a rule would save before it is added."""

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.cli.group import Session, verb, verb_app
from weyr.cli.money import amount
from weyr.cli.options import AsJson
from weyr.cli.screen import coloured, put, put_json, say, table
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.units import HOUR_S, MONTH_S, size_text
from weyr.gateway.s3.report.filling import AGES, SIZES, Sum
from weyr.gateway.s3.report.reading import BucketReport, Named, buckets_in, index_at, report_of
from weyr.gateway.s3.report.rules import WishedRule, rule_of
from weyr.gateway.s3.report.saving import Saving
from weyr.ledger.prices import STORAGE, Catalogue, PriceBook

app = verb_app("Show what fills a bucket, and what a rule would save.")
PREFIXES_SHOWN = 10
BOOK = "aws/s3-standard"


@app.callback()
def bucket() -> None:
    """Show what fills a bucket, and what a rule would save."""


@verb(
    app,
    "weyr bucket report\nweyr bucket report lake --if 'prefix=checkpoints/ expire_after=7d'\n"
    "weyr bucket report --data buckets --json",
)
def report(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="BUCKET", help="As the stack's file calls it, or its name at the door; default: all."),
    ] = "",
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--if",
            metavar="RULE",
            help="A rule to try: prefix=P tag=NAME=VALUE expire_after=7d noncurrent_expire_after=30d "
            "abort_uploads_after=7d. Once per rule.",
        ),
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=1, max=20, help="How many folders deep prefixes are.")] = 1,
    price_as: Annotated[str, typer.Option("--price-as", metavar="BOOK", help="Whose prices.")] = BOOK,
    data: Annotated[
        Path | None, typer.Option("--data", help="The folder of weyr s3 serve, where it is not the stack's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what fills a bucket, and what lifecycle rules would save in a month before they are added.

    It reads beside the plane, which goes on, and changes nothing. Rules are tried against what is there today.
    """
    session: Session = ctx.obj
    folder = data.expanduser() if data else session.home / "s3"
    wished, book = [_rule(text) for text in rules or ()], Catalogue.shipped().book(price_as)
    now_ms = int(time.time() * 1000)
    try:
        with index_at(folder) as db:
            chosen = _chosen(buckets_in(db), name)
            reports = [report_of(db, bucket, wished, depth, now_ms) for bucket in chosen]
    except sqlite3.Error as e:
        detail = f"{folder / 'index.db'} cannot be read: {e}. Buckets are there once a stack or weyr s3 serve has run."
        raise UserError(Diagnostic("No buckets to look through", detail, suggestion="weyr bucket report --help")) from e
    if as_json:
        put_json({"buckets": [_document(report, book) for report in reports]})
        return
    for number, one in enumerate(reports):
        if number:
            put()
        _show(one, book)
    if not reports:
        say("There is no bucket.")


def _rule(text: str) -> WishedRule:
    try:
        return rule_of(text)
    except ValueError as e:
        raise typer.BadParameter(f"{e}", param_hint="--if") from e


def _chosen(there: Sequence[Named], name: str) -> list[Named]:
    """The buckets of that name, at the door or in a stack's file. Raises: UserError where there is none."""
    if not name:
        return list(there)
    found = [bucket for bucket in there if name in (bucket.name, _name_in_file(bucket))]
    if not found:
        known = {bucket.name for bucket in there} | {_name_in_file(bucket) for bucket in there} - {""}
        detail = f"There is no bucket {name}.{did_you_mean(name, known)}"
        raise UserError(Diagnostic("No such bucket", detail, suggestion="weyr bucket report"))
    return found


def _name_in_file(bucket: Named) -> str:
    """`lake` of the owner `digits:bucket/lake`; "" for a bucket that no stack made."""
    return bucket.owner.partition(":bucket/")[2]


def _monthly(book: PriceBook, size_bytes: int) -> int | None:
    return book.monthly_micros(STORAGE, size_bytes, MONTH_S / HOUR_S)


def _document(report: BucketReport, book: PriceBook) -> dict[str, Any]:
    filling = report.filling
    return {
        "bucket": report.bucket.name,
        "owner": report.bucket.owner,
        "versioning": report.bucket.versioning.value,
        "current": _sum(filling.current),
        "versions": _sum(filling.versions),
        "markers": filling.markers,
        "uploads": _sum(filling.uploads),
        "duplicates": _sum(filling.twins),
        "by_prefix": {name: _sum(part) for name, part in _by_size(filling.by_prefix)},
        "by_age": {name: _sum(part) for name, part in filling.by_age.items()},
        "by_size": {name: _sum(part) for name, part in filling.by_size.items()},
        "largest": [{"key": key, "size_bytes": size} for size, key in sorted(filling.largest, reverse=True)],
        "currency": book.currency,
        "micros_per_month": _monthly(book, _all_bytes(report)),
        "rules": [_saving(saving, book) for saving in report.asked.each],
        "suggestions": [_saving(saving, book) for saving in _worth(report)],
    }


def _saving(saving: Saving, book: PriceBook) -> dict[str, Any]:
    return {
        "rule": str(saving.rule),
        "objects": _sum(saving.objects),
        "versions": _sum(saving.versions),
        "uploads": _sum(saving.uploads),
        "become_old_versions": _sum(saving.kept),
        "locked": saving.locked,
        "saved_micros_per_month": _monthly(book, saving.freed_bytes),
        "requests_micros": 0,
    }


def _sum(part: Sum) -> dict[str, int]:
    return {"count": part.count, "size_bytes": part.size_bytes}


def _show(report: BucketReport, book: PriceBook) -> None:
    filling, named = report.filling, report.bucket
    head = f"{named.name} ({named.owner})" + (f", versioning {named.versioning.value}" if named.versioning else "")
    put(coloured(head, "title"))
    whats = [("current objects", filling.current), ("old versions", filling.versions)]
    whats += [("unfinished uploads", filling.uploads)]
    rows = [[what, f"{part.count:,}", size_text(part.size_bytes), _money(book, part)] for what, part in whats]
    rows += [["delete markers", f"{filling.markers:,}", "", ""]]
    rows += [["of these the same bytes again", f"{filling.twins.count:,}", size_text(filling.twins.size_bytes), ""]]
    put(table(["what", "count", "size", f"{book.currency} a month"], rows, frozenset({1, 2, 3})))
    shown = _by_size(filling.by_prefix)
    _part("prefix", shown[:PREFIXES_SHOWN], book)
    if len(shown) > PREFIXES_SHOWN:
        say(f"... and {len(shown) - PREFIXES_SHOWN} more prefixes; --json lists them all.")
    _part("younger than", _in_order(filling.by_age, AGES), book)
    _part("smaller than", _in_order(filling.by_size, SIZES), book)
    if filling.largest:
        put()
        put(table(["largest", "size"], [[_plain(k), size_text(n)] for n, k in sorted(filling.largest, reverse=True)],
                  frozenset({1})))  # fmt: skip
    _tell_savings("Rules that were asked about", report.asked.each, book)
    _tell_savings("Rules that would save something", _worth(report), book)


def _part(title: str, parts: Iterable[tuple[str, Sum]], book: PriceBook) -> None:
    rows = [
        [_plain(name) or "(none)", f"{part.count:,}", size_text(part.size_bytes), _money(book, part)]
        for name, part in parts
    ]
    if rows:
        put()
        put(table([title, "count", "size", f"{book.currency} a month"], rows, frozenset({1, 2, 3})))


def _tell_savings(title: str, savings: Sequence[Saving], book: PriceBook) -> None:
    if not savings:
        return
    put()
    put(f"{title}:")
    for saving in savings:
        micros = _monthly(book, saving.freed_bytes)
        saved = "at no known price" if micros is None else f"{amount(micros, book.currency)} a month"
        count = saving.objects.count + saving.versions.count + saving.uploads.count
        put(f"  {saving.rule}")
        put(f"    ends {count:,} today, {size_text(saving.freed_bytes)}: saves {saved}. Its requests are free.")
        if saving.kept.count:
            put(
                f"    {saving.kept.count:,} objects, {size_text(saving.kept.size_bytes)}, become old versions: they "
                "cost as before until noncurrent_expire_after ends them."
            )
        if saving.locked:
            put(f"    {saving.locked:,} versions stay, which object lock keeps.")


def _worth(report: BucketReport) -> list[Saving]:
    """Suggestions that would end something, and that nobody asked about."""
    asked = {saving.rule for saving in report.asked.each}
    return [saving for saving in report.suggested.each if saving.freed_bytes and saving.rule not in asked]


def _all_bytes(report: BucketReport) -> int:
    filling = report.filling
    return filling.current.size_bytes + filling.versions.size_bytes + filling.uploads.size_bytes


def _money(book: PriceBook, part: Sum) -> str:
    micros = _monthly(book, part.size_bytes)
    return "" if micros is None else amount(micros, "").strip()


def _by_size(parts: Mapping[str, Sum]) -> list[tuple[str, Sum]]:
    return sorted(parts.items(), key=lambda item: (-item[1].size_bytes, item[0]))


def _in_order(parts: Mapping[str, Sum], classes: Sequence[tuple[str, int]]) -> list[tuple[str, Sum]]:
    return [(name, parts[name]) for name in (*(name for name, _ in classes), "more") if name in parts]


def _plain(key: str) -> str:
    """A key without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in key)
