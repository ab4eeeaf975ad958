"""Reads a price list in SkyPilot's form: `vms.csv` of one cloud, a row for a machine in a zone, Price and SpotPrice.

Its list for GCP prices a machine without its accelerators, and those in rows of their own without a machine: both are
added up here, zone by zone. Faults are not looked for: that is `lint`.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices.lint import SENTINELS
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.ledger.prices.read_lists import PriceList

COLUMNS = frozenset(
    ("InstanceType", "vCPUs", "MemoryGiB", "AcceleratorName", "AcceleratorCount", "Region", "Price", "SpotPrice")
)
_GCP = {
    "a2-highgpu": "A100", "a2-megagpu": "A100", "a2-ultragpu": "A100-80GB", "a3-edgegpu": "H100",
    "a3-highgpu": "H100", "a3-megagpu": "H100-MEGA", "a3-ultragpu": "H200", "a4-highgpu": "B200",
}  # fmt: skip
"""Which accelerators GCP's families come with; how many ends the name: `a3-highgpu-8g`."""
_L4_BY_VCPUS = {4: 1, 8: 1, 12: 1, 16: 1, 24: 2, 32: 1, 48: 4, 96: 8}
"""Of the family g2-standard. Source: GCP's page of GPU machine types."""

Row = Mapping[str, str]
Zone = tuple[str, str]


def read_skypilot(lines: Iterable[str], provider: str, dated: str, source: str) -> PriceList:
    """Takes: the lines of a `vms.csv`; its day, which the file does not tell. Raises: UserError, of another form."""
    rows = csv.DictReader(lines)
    missing = COLUMNS - set(rows.fieldnames or ())
    if missing:
        detail = f"{source} has no column {', '.join(sorted(missing))}, which SkyPilot's vms.csv has."
        raise UserError(Diagnostic("Not a price list of this form", detail))
    found = PriceList(source)
    for row, machine, price, spot in _rows(list(rows), provider, found):
        region, zone = row["Region"], row.get("AvailabilityZone") or ""
        if price is not None:
            found.offers.append(Offer(machine, region, Purchase.ON_DEMAND, price, source, dated))
        if spot is not None:
            found.offers.append(Offer(machine, region, Purchase.SPOT, spot, source, dated, zone))
        if price is None and spot is None:
            found.left_out["no price is given"] += 1
    return found


Priced = tuple[Row, Machine, Decimal | None, Decimal | None]


def _rows(rows: list[Row], provider: str, found: PriceList) -> Iterator[Priced]:
    beside = {(row["AcceleratorName"], _count(row), _zone(row)): row for row in rows if not row["InstanceType"]}
    for row in rows:
        if not row["InstanceType"]:
            if row["AcceleratorName"].startswith("tpu"):
                found.left_out["a TPU without the machine it is in"] += 1
            continue
        accelerator, count = row["AcceleratorName"], _count(row)
        price, spot = _amount(row["Price"]), _amount(row["SpotPrice"])
        if provider == "gcp" and not accelerator:
            accelerator, count = _gcp_accelerators(row)
            part = beside.get((accelerator, count, _zone(row)))
            if count and part is None:
                found.left_out["its accelerators have no price in its zone"] += 1
                continue
            if part is not None:
                price, spot = _sum(price, part["Price"]), _sum(spot, part["SpotPrice"])
        shape = Decimal(row["vCPUs"] or 0), Decimal(row["MemoryGiB"] or 0)
        if not all(shape):
            found.left_out["its size is not given"] += 1
            continue
        yield row, Machine(provider, row["InstanceType"], *shape, accelerator, count), price, spot


def _gcp_accelerators(row: Row) -> tuple[str, Decimal]:
    family, _, size = row["InstanceType"].rpartition("-")
    if family in _GCP and size.removesuffix("g").isdigit():
        return _GCP[family], Decimal(size.removesuffix("g"))
    if family == "g2-standard" and size.isdigit():
        return "L4", Decimal(_L4_BY_VCPUS.get(int(size), 0))
    return "", Decimal(0)


def _zone(row: Row) -> Zone:
    return row["Region"], row.get("AvailabilityZone") or ""


def _count(row: Row) -> Decimal:
    return _amount(row["AcceleratorCount"]) or Decimal(0)


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text.strip() else None
    except InvalidOperation:
        return None


def _sum(machine: Decimal | None, accelerators: str) -> Decimal | None:
    """A figure that means "missing" is not added up: nobody would know it again in the sum."""
    part = _amount(accelerators)
    return None if machine is None or part is None or part in SENTINELS else machine + part
