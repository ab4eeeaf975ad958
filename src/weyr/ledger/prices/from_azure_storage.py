"""Reads pages of Azure's Retail Prices API: what blobs cost, by tier and by how many copies are kept.

An item is one tier of a meter; a meter's name ends in what it counts (`Hot LRS Data Stored`), its SKU tells the tier
and the copies (`Hot LRS`), and its product the kind of account. Pure.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.prices.rates import Rate, price_of
from weyr.ledger.prices.read_lists import PriceList

SERVICES = ("blob", "storage")
"""Both are read from one list: what an endpoint's bytes cost, and an account's rates as Terraform asks for them."""
PRODUCTS = {"General Block Blob v2": ("v2",), "Blob Storage": ("blob", "block")}
OLDER = ("Blob Storage", "Hot LRS")
_COPIES = "LRS|ZRS|GRS|RA-GRS|GZRS|RA-GZRS"
_SKU = re.compile(rf"(Hot|Cool|Cold|Archive) ({_COPIES})")
_METER = re.compile(rf"(?:(?:Hot|Cool|Cold|Archive) )?(?:(?:{_COPIES}) )?(.+)")
_COUNTED = {
    "Data Stored": ("stored", "GB"), "Write Operations": ("write", "operation"),
    "Read Operations": ("read", "operation"),
    "List and Create Container Operations": ("list", "operation"), "All Other Operations": ("other", "operation"),
    "Data Retrieval": ("retrieval", "GB"), "Index Tags": ("index", "tag"), "Early Delete": ("early", "GB"),
}  # fmt: skip
_UNIT = re.compile(r"(\d+)([KM]?)\b.*")
_TIMES = {"": 1, "K": 1000, "M": 1_000_000}

Named = tuple[str, str, str]
"""A service, a name and a unit."""
Item = Mapping[str, Any]


def read_azure_storage(items: Iterable[Item], region: str, dated: str, source: str) -> PriceList:
    """Takes: the `Items` of all pages, amounts as Decimal; the day they were asked for.

    Where two meters of one name differ in price, neither is taken. A hot account's only copies in one place are listed
    in some regions for the older kind alone, and cost the newer what they cost that.
    """
    found = PriceList(source)
    meters: dict[Named, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    of_older: dict[Named, dict[str, list[Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        reason = _left_out(item, region, dated)
        names = [] if reason else list(_names(item, *PRODUCTS.get(item.get("productName", ""), ())))
        if not names:
            found.left_out[reason or "it has no name here"] += 1
            continue
        for named in names:
            meters[named][item.get("meterId", "")].append(item)
        if (item["productName"], item["skuName"]) == OLDER:
            for named in _names(item, "v2"):
                of_older[named][item.get("meterId", "")].append(item)
    for (service, name, unit), each in {**of_older, **meters}.items():
        prices = {_tiers(tiers) for tiers in each.values()}
        price = prices.pop() if len(prices) == 1 else ""
        if not price:
            found.left_out["two prices have one name" if prices else "it costs nothing, or its tiers have a gap"] += 1
            continue
        of = price_of(price, tally=f"azure {service} {name}")
        found.rates.append(Rate("azure", service, region, name, unit, of, source, dated))
    return found


def _left_out(item: Item, region: str, dated: str) -> str:
    """Why it is not read; nothing where it may be."""
    if item.get("currencyCode") != "USD":
        return "it is not in USD"
    if item.get("armRegionName") != region:
        return "it is of another region"
    if item.get("type") != "Consumption":
        return "it is not paid by use"
    return "it does not hold yet" if item.get("effectiveStartDate", "")[:10] > dated else ""


def _names(item: Item, *kinds: str) -> Iterator[Named]:
    """What it is called here, of accounts of these kinds."""
    sku, meter = _SKU.fullmatch(item.get("skuName", "")), _METER.fullmatch(item.get("meterName", ""))
    counted = _COUNTED.get(meter[1]) if meter else None
    if sku is None or counted is None or not _UNIT.fullmatch(item.get("unitOfMeasure", "")):
        return
    tier, copies, (what, unit) = sku[1].lower(), sku[2].lower().replace("-", ""), counted
    for kind in kinds:
        if tier in ("hot", "cool"):
            yield "storage", f"{kind}.{tier}.{copies}.{what}", unit
        if kind == "v2":
            yield from _of_blobs(tier, copies, what)


def _of_blobs(tier: str, copies: str, what: str) -> Iterator[Named]:
    if what == "stored" and copies in ("lrs", "zrs", "grs"):
        yield "blob", f"storage.{tier}{'' if copies == 'lrs' else f'.{copies}'}", "GB-month"
    elif copies == "lrs" and what in ("read", "write", "list"):
        yield "blob", f"requests.{what}{'' if tier == 'hot' else f'.{tier}'}", "request"
    elif copies == "lrs" and what == "retrieval":
        yield "blob", f"retrieval.{tier}", "GB"


def _tiers(items: list[Item]) -> str:
    """As `price_of` reads them; nothing where the first is missing, or all is free."""
    starts = {Decimal(item.get("tierMinimumUnits") or 0): _amount(item) for item in items}
    ordered = sorted(starts.items())
    if ordered[0][0] or not any(amount for _, amount in ordered):
        return ""
    ends = [f" to {start * _times(items[0]):f}" for start, _ in ordered[1:]]
    return "; ".join(f"{amount:f}{end}" for (_, amount), end in zip(ordered, [*ends, ""], strict=True))


def _amount(item: Item) -> Decimal:
    return Decimal(item["retailPrice"]) / _times(item)


def _times(item: Item) -> int:
    """How many a price is for: 10,000 of `10K`, 1 of `1 GB/Month`."""
    match = _UNIT.fullmatch(item["unitOfMeasure"])
    assert match is not None, "asked before"
    return int(match[1]) * _TIMES[match[2]]


def azure_service_named(word: str) -> str:
    """Raises: UserError, with the services whose lists can be read."""
    if word not in SERVICES:
        detail = f'No list of "{word}" is read.{did_you_mean(word, SERVICES)} Services of Azure: {", ".join(SERVICES)}.'
        raise UserError(Diagnostic("Unknown service", detail, suggestion="--service storage"))
    return word
