"""Reads AWS's Price List bulk file for EC2, as CSV: five lines about the list, then a row for each rate.

https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEC2/current/REGION/index.csv needs no credentials. It is
hundreds of megabytes, so it is read row by row. Spot is not in it: AWS tells spot prices to accounts only.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices.offers import Machine, MachineKey, Offer, Purchase
from weyr.ledger.prices.read_lists import PriceList

_PLAIN = {
    "Product Family": ("Compute Instance", "Compute Instance (bare metal)"),
    "Operating System": ("Linux",),
    "Tenancy": ("Shared",),
    "Pre Installed S/W": ("NA",),
    "CapacityStatus": ("Used",),
    "Unit": ("Hrs",),
    "Currency": ("USD",),
}
"""The machine alone: no licence, no dedicated host, no reserved capacity that stands idle."""
OPERATION = "RunInstances"
_TERMS = {"1yr": Purchase.RESERVED_1Y, "3yr": Purchase.RESERVED_3Y}


def read_aws(lines: Iterable[str], machines: Mapping[MachineKey, Machine], source: str) -> PriceList:
    """Takes: the lines of `index.csv`; machines known by name, which tell what accelerators there are.

    Raises: UserError, of another form.
    """
    found, rest = PriceList(source), iter(lines)
    dated = published(rest, source)
    for row in csv.DictReader(rest, fieldnames=heading(rest, source)):
        is_plain = all(row.get(name) in wanted for name, wanted in _PLAIN.items())
        # What runs in a capacity block has been paid for with the block: it stands in the list at nothing.
        is_in_block = row.get("operation", OPERATION) != OPERATION or row.get("MarketOption") == "CapacityBlock"
        purchase = _purchase(row) if is_plain and not is_in_block else None
        if purchase is None:
            continue
        machine = machines.get(("aws", row["Instance Type"])) or _machine(row)
        if machine is None:
            found.left_out["it has accelerators of a kind that is not known"] += 1
            continue
        amount = Decimal(row["PricePerUnit"])
        found.offers.append(Offer(machine, row["Region Code"], purchase, amount, source, dated))
    return found


def published(lines: Iterator[str], source: str) -> str:
    """The day of the list, from the lines above its table."""
    for line in lines:
        name, *values = next(csv.reader([line]))
        if name == "Publication Date" and values:
            return values[0][:10]
        if name == "SKU":
            break
    detail = f'{source} does not begin with a "Publication Date", as AWS\'s price lists do.'
    raise UserError(Diagnostic("Not a price list of this form", detail))


def heading(lines: Iterator[str], source: str) -> list[str]:
    for line in lines:
        names = next(csv.reader([line]))
        if names and names[0] == "SKU":
            return names
    raise UserError(Diagnostic("Not a price list of this form", f"{source} has no table in it."))


def _purchase(row: Mapping[str, str]) -> Purchase | None:
    """Of the commitments the standard ones that are paid monthly: one figure an hour is all that they cost."""
    if row["TermType"] == "OnDemand":
        return Purchase.ON_DEMAND
    is_monthly = row.get("PurchaseOption") == "No Upfront" and row.get("OfferingClass") == "standard"
    return _TERMS.get(row.get("LeaseContractLength", "")) if is_monthly else None


def _machine(row: Mapping[str, str]) -> Machine | None:
    """A machine that Weyr does not know yet; None with accelerators, which the list counts and never names."""
    memory = row.get("Memory", "").removesuffix(" GiB").replace(",", "")
    if row.get("GPU") or not row.get("vCPU", "").isdigit() or not memory.replace(".", "", 1).isdigit():
        return None
    return Machine("aws", row["Instance Type"], Decimal(row["vCPU"]), Decimal(memory))
