"""`weyr cost reconcile`: a provider's bill beside the journal, what explains the difference, and its corrections."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from weyr.cli.bill_files import read_bill
from weyr.cli.client import Client
from weyr.cli.connect import ensured, reader
from weyr.cli.group import Session
from weyr.cli.options import AsJson, Yes
from weyr.cli.reconciled import reconciled_json, show_reconciled
from weyr.cli.screen import put, put_json, say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME, Ref
from weyr.ledger.bills.bill import Bill
from weyr.ledger.bills.compare import compare
from weyr.ledger.bills.corrections import Correction, corrections, id_of
from weyr.ledger.bills.owners import Mapped, Owners
from weyr.ledger.bills.posted import Posted, add, is_owed_to, owed_of

CHARGES_MAX = 10_000
"""So many the server takes in one entry."""
RESOURCES_SHOWN = 10


def reconcile(
    ctx: typer.Context,
    bill: Annotated[
        Path, typer.Argument(metavar="BILL", help="FOCUS or AWS CUR, as .csv, .csv.gz or .parquet, or a folder of it.")
    ],
    provider: Annotated[
        str, typer.Option("--provider", metavar="NAME", help="Only its rows, of a bill of several: aws, gcp, azure.")
    ] = "",
    books: Annotated[
        list[str] | None,
        typer.Option("--book", metavar="BOOK", help="A price book that is on this bill, too, whatever its name."),
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="RESOURCE=OBJECT", help='Whose a resource is: "i-08*=digits:pool/gpu".'),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="STACK", help="The stack that has what no object is known for, and taxes.")
    ] = "",
    takes_back: Annotated[
        bool, typer.Option("--take-back", help="Also take back what objects cost that the bill knows nothing of.")
    ] = False,
    is_posted: Annotated[bool, typer.Option("--post", help="Post the differences as corrections.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a provider's bill beside the journal, explain where they differ, and post that as corrections.

    A row of the bill is an object's by the tags weyr:stack, weyr:kind and weyr:name, by its resource's id, or as --map
    says. Without --post nothing is changed. The same bill again posts nothing.
    """
    session: Session = ctx.obj
    if to and not NAME.fullmatch(to):
        raise UserError(Diagnostic("Not a name", f'"{to}" cannot be the name of a stack.'))
    owners = [Mapped.parse(each) for each in mapped or []]
    told = read_bill(bill, provider)
    client = ensured(session.home, is_auto=True)[0] if is_posted else reader(session.home)
    posted = _posted(client, told, books or [])
    rest = Ref(to, "outside", told.provider) if to else None
    compared = compare(told, posted, Owners(posted.things, owners, rest))
    found = corrections(compared, posted, takes_back)
    id = id_of(told, found, posted) if found else ""
    if as_json and not is_posted:
        put_json(reconciled_json(told, compared, found, id))
        return
    if not as_json:
        show_reconciled(told, compared, found)
    if not is_posted:
        if found:
            say("\nNothing was posted. Post it with: --post")
        return
    if found and not (yes or as_json or typer.confirm("Post these corrections?", err=True)):
        raise typer.Exit(1)
    answers = [_post(client, id, found, told, number) for number in range(0, len(found), CHARGES_MAX)]
    if as_json:
        put_json({**reconciled_json(told, compared, found, id), "posted": answers})
    else:
        put(f"{id} is posted: {len(found)} lines." if found else "Nothing was to be posted.")


def _posted(client: Client, bill: Bill, books: Sequence[str]) -> Posted:
    """What the journal owes the bill's provider. A late line counts for a day after the bill's: so it is asked for from
    the bill's first day to the last that there is."""
    posted = Posted()
    for row in csv.DictReader(client.lines("/v1/cost/owed", **{"from": bill.first_day})):
        owed = owed_of(row)
        if bill.provider == "weyr" or is_owed_to(owed.book, bill.provider, books):
            add(posted, owed)
    return posted


def _post(client: Client, id: str, found: Sequence[Correction], bill: Bill, start: int) -> Any:
    told = f" ({', '.join(sorted(bill.invoices)[:3])})" if bill.invoices else ""
    entry = {
        "id": id if len(found) <= CHARGES_MAX else f"{id}-{start // CHARGES_MAX + 1}",
        "reason": f"corrects by the bill of {bill.provider}, {bill.first_day} to {bill.last_day}{told}",
        "charges": [
            {"stack": c.ref.stack, "object": f"{c.ref.kind}/{c.ref.name}", "source": c.book, "sku": c.sku,
             "micros": c.micros, "day": c.day, "labels": dict(c.labels)}
            for c in found[start : start + CHARGES_MAX]
        ],
    }  # fmt: skip
    return client.call("POST", "/v1/cost/entries", entry)
