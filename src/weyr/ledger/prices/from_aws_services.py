"""Reads AWS's Price List bulk files of a service, as CSV: its rates, by the names that AWS gives to usage.

Each list has a file a region, in the form of EC2's and as free of credentials:
https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonS3/current/REGION/index.csv. A rate is a SKU; its rows are
its tiers. What stands there for nothing at the beginning of a month is what an account has free; what is free in all
regions together stands there as a usage of its own, `Global-...`. Pure.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.prices.aws_usages import ALLOWANCES, OFFERS, USAGES, Named
from weyr.ledger.prices.from_aws import heading, published
from weyr.ledger.prices.rates import Rate, price_of
from weyr.ledger.prices.read_lists import PriceList

Row = Mapping[str, str]
PREFIX = re.compile(r"^(?:EU|[A-Z]{3}\d|[a-z]{2}(?:-[a-z]+)+-\d)-")
"""Of a region, before the usage: `EU-` is Ireland's, `USW2-` Oregon's, `UGW1-` of a cloud for governments; Virginia's
mostly has none. Keys and some others write it out: `eu-west-1-KMS-Keys`."""
GLOBAL = "Global-"
_BALANCERS = {
    "Load Balancer-Application": "application", "Load Balancer-Network": "network",
    "Load Balancer-Gateway": "gateway", "Load Balancer": "classic",
}  # fmt: skip
_BALANCED = {
    "LoadBalancerUsage": ("hour", "hour"),
    "LCUUsage": ("unit", "LCU-hour"),
    "DataProcessing-Bytes": ("processed", "GB"),
}
_ENGINES = {
    "MySQL": "mysql", "PostgreSQL": "postgres", "MariaDB": "mariadb", "Aurora MySQL": "aurora-mysql",
    "Aurora PostgreSQL": "aurora-postgresql",
}  # fmt: skip
_ZONES = {"Single-AZ": "single", "Multi-AZ": "multi"}


@dataclass(slots=True)
class _Skus:
    """The rows of one list that have a name here, by name and SKU; and what it says is free of a usage everywhere."""

    of: dict[Named, dict[str, list[Row]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    free: dict[Named, Decimal] = field(default_factory=dict)


def read_service(lines: Iterable[str], service: str, region: str, source: str, offer: str = "") -> PriceList:
    """Takes: the lines of one `index.csv` of that region; `service` and `offer` as in `OFFERS`, by default the first.

    Raises: UserError, of another form. Where two SKUs of one name differ in price, neither is taken.
    """
    offer = offer or OFFERS[service][0]
    found, rest = PriceList(source), iter(lines)
    dated = published(rest, source)
    skus = _Skus()
    for row in csv.DictReader(rest, fieldnames=heading(rest, source)):
        if row.get("TermType") != "OnDemand":
            continue
        if row.get("Currency") != "USD":
            found.left_out["it is not in USD"] += 1
        elif _is_free_everywhere(offer, row):
            _note_free(skus, offer, row)
        elif _region_of(row) in ("", region):
            named = name_of(offer, row)
            if named is None:
                found.left_out["it has no name here"] += 1
            else:
                skus.of[named][row["SKU"]].append(row)
    for named, each in skus.of.items():
        told = _one_price(list(each.values()))
        if isinstance(told, str):
            found.left_out[told] += 1
            continue
        tiers, free = told
        of = price_of(tiers, free or skus.free.get(named, Decimal(0)), tally=f"aws {service} {named.name}")
        found.rates.append(Rate("aws", service, region, named.name, named.unit, of, source, dated))
    return found


def _region_of(row: Row) -> str:
    """A list of what is sent has two regions in a row: it costs what the one asks that it leaves."""
    return row.get("Region Code") or row.get("From Region Code") or ""


def _is_free_everywhere(offer: str, row: Row) -> bool:
    usage = row.get("usageType", "")
    return usage.startswith(GLOBAL) and usage.removeprefix(GLOBAL) in ALLOWANCES.get(offer, {})


def _note_free(skus: _Skus, offer: str, row: Row) -> None:
    if Decimal(row["PricePerUnit"]) or row.get("EndingRange") in (None, "", "Inf"):
        return
    for usage in ALLOWANCES[offer][row["usageType"].removeprefix(GLOBAL)]:
        skus.free[USAGES[offer][usage]] = Decimal(row["EndingRange"])


def name_of(offer: str, row: Row) -> Named | None:
    """What the rate of this row is called here; None of what nothing is reckoned by."""
    usage = PREFIX.sub("", row.get("usageType", ""))
    instance = row.get("Instance Type", "")
    match offer:
        case "AmazonRDS" if row.get("Product Family") == "Database Instance":
            return _database(row, instance)
        case "AmazonElastiCache" if row.get("Product Family") == "Cache Instance":
            engine = row.get("Cache Engine", "").lower()
            return Named(f"node.{instance}.{engine}", "hour") if usage.startswith("NodeUsage:") and engine else None
        case "AmazonSageMaker":
            # The same machine costs the same to serve, to train and for a notebook: the first stands for all.
            machine = usage.removeprefix("Host:")
            return Named(f"instance.{machine}", "hour") if machine != usage and machine.startswith("ml.") else None
        case "AWSELB":
            kind, what = _BALANCERS.get(row.get("Product Family", "")), _BALANCED.get(usage)
            return Named(f"{kind}.{what[0]}", what[1]) if kind and what else None
        case "AWSDataTransfer" if row.get("To Location", "External") != "External":
            return None
    usages = USAGES.get(offer, {})
    return usages.get(f"{usage}@{row.get('operation', '')}") or usages.get(usage)


def _database(row: Row, instance: str) -> Named | None:
    engine, zones = _ENGINES.get(row.get("Database Engine", "")), _ZONES.get(row.get("Deployment Option", ""))
    if engine is None or zones is None or not instance.startswith("db."):
        return None
    optimized = ".optimized" if "IOOptimized" in row.get("usageType", "") else ""
    return Named(f"instance.{instance}.{engine}.{zones}{optimized}", "hour")


Told = tuple[str, Decimal]
"""Tiers as `price_of` reads them, and what is free before them."""


def _one_price(skus: list[list[Row]]) -> Told | str:
    """What all SKUs of a name cost, or why none of them is taken. One without an operation holds for all of them."""
    prices = {_price(rows) for rows in skus}
    if len(prices) > 1:
        prices = {_price(rows) for rows in skus if not rows[0].get("operation")}
    if len(prices) != 1:
        return "two prices have one name"
    (price,) = prices
    return price or "it costs nothing, or its tiers have a gap"


def _price(rows: list[Row]) -> Told | None:
    """None where they leave something out."""
    parts = sorted(set(_parts(rows)))
    begins = Decimal(0)
    for start, end, _ in parts:
        if start != begins:
            return None
        begins = end
    if not parts or begins.is_finite():
        return None
    free = Decimal(0)
    if not parts[0][2] and parts[0][1].is_finite():
        free, parts = parts[0][1], parts[1:]
    if not any(amount for _, _, amount in parts):
        return None
    written = [f"{amount:f}" + (f" to {end - free:f}" if end.is_finite() else "") for _, end, amount in parts]
    return "; ".join(written), free


def _parts(rows: list[Row]) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Where each tier starts and ends, and what a unit costs in it."""
    for row in rows:
        end = row.get("EndingRange") or "Inf"
        yield Decimal(row.get("StartingRange") or 0), Decimal(end), Decimal(row["PricePerUnit"])


def service_named(word: str) -> str:
    """Raises: UserError, with the services whose lists can be read."""
    if word not in OFFERS:
        detail = f'No list of "{word}" is read.{did_you_mean(word, OFFERS)} Services: ec2, {", ".join(sorted(OFFERS))}.'
        raise UserError(Diagnostic("Unknown service", detail, suggestion="--service rds"))
    return word
