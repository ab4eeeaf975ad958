"""What do the verbs that copy have in common? Their options, and how they say what came of it."""

import time
from typing import Annotated

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.screen import put, put_json, say
from weyr.core.units import duration_text, size_text
from weyr.transfer.carry import Errand
from weyr.transfer.tally import Tally

TOLD_MAX = 10

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, and do none of it.", rich_help_panel="Output")
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="PATTERN", help="Only these, such as '*.parquet'.", rich_help_panel="Which"),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Not these; it outweighs --include.", rich_help_panel="Which"),
]


def tell_plan(errands: list[Errand], deletes: list[str], as_json: bool) -> None:
    """Prints what would be done."""
    if as_json:
        copies = [{"from": str(e.source), "to": str(e.target), "size_bytes": e.entry.size} for e in errands]
        put_json({"copies": copies, "deletes": deletes})
        return
    for errand in errands:
        put(f"copy    {errand.source} -> {errand.target}  {size_text(errand.entry.size)}")
    for what in deletes:
        put(f"delete  {what}")
    say(f"{len(errands)} to copy, {len(deletes)} to delete. Nothing was done.")


def tell_result(tally: Tally, began: float, as_json: bool) -> None:
    """Says what came of it. Raises: typer.Exit with 1 where something failed."""
    took_s = time.monotonic() - began
    for what, why in tally.failed[:TOLD_MAX]:
        say(f"Failed: {what}: {why}")
    if len(tally.failed) > TOLD_MAX:
        say(f"... and {len(tally.failed) - TOLD_MAX} more; --json lists them all.")
    if tally.unverified:
        what = tally.unverified[0] if len(tally.unverified) == 1 else f"{len(tally.unverified)} objects"
        say(f"The server names no checksum of {what}: only the size was compared.")
    if as_json:
        put_json({**tally.document(), "took_s": round(took_s, 3)})
    else:
        say(_sentence(tally, took_s))
    if tally.failed:
        raise typer.Exit(FAILED)


def _sentence(tally: Tally, took_s: float) -> str:
    moved = tally.sent_bytes + tally.received_bytes
    words = [f"Copied {tally.copied:,}"] if tally.copied or not tally.deleted else []
    words += [f"deleted {tally.deleted:,}"] if tally.deleted else []
    words += [f"{tally.same:,} the same"] if tally.same else []
    words += [f"{len(tally.failed):,} failed"] if tally.failed else []
    text = ", ".join(words) + f". {size_text(moved)} in {duration_text(took_s)}"
    text += f", {size_text(round(moved / took_s))}/s" if moved and took_s > 0.05 else ""
    if tally.kept_bytes:
        text += f"; {size_text(tally.kept_bytes)} had arrived before"
    return f"{text[0].upper()}{text[1:]}."
