"""Reads pages of Azure's Retail Prices API: on demand, spot and reservations of virtual machines, without credentials.

https://prices.azure.com/api/retail/prices?$filter=... answers a page at a time, with the address of the next one.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from weyr.ledger.prices.offers import Machine, MachineKey, Offer, Purchase
from weyr.ledger.prices.read_lists import PriceList

HOURS_OF_YEAR = 8760
_TERMS = {"1 Year": (Purchase.RESERVED_1Y, 1), "3 Years": (Purchase.RESERVED_3Y, 3)}


def read_azure(
    items: Iterable[Mapping[str, Any]], machines: Mapping[MachineKey, Machine], dated: str, source: str
) -> PriceList:
    """Takes: the `Items` of all pages, amounts as Decimal; the day they were asked for, since an item tells only since
    when its price holds. How large a machine is the API does not say: those not known are left out."""
    found = PriceList(source)
    for item in items:
        offer = _offer(item, machines, dated, source)
        if isinstance(offer, str):
            found.left_out[offer] += 1
        else:
            found.offers.append(offer)
    return found


def _offer(item: Mapping[str, Any], machines: Mapping[MachineKey, Machine], dated: str, source: str) -> Offer | str:
    """The offer, or why it is left out."""
    if item.get("currencyCode") != "USD":
        return "it is not in USD"
    if "Windows" in item.get("productName", "") or "Cloud Services" in item.get("productName", ""):
        return "a licence is in it"
    machine = machines.get(("azure", item.get("armSkuName", "")))
    if machine is None:
        return "its size is not known"
    amount, region = Decimal(item["retailPrice"]), item["armRegionName"]
    if item.get("type") == "Reservation":
        term = _TERMS.get(item.get("reservationTerm", ""))
        if term is None:
            return "its term is neither one year nor three"
        purchase, years = term
        # A reservation's price is that of the whole term.
        return Offer(machine, region, purchase, round(amount / (HOURS_OF_YEAR * years), 6), source, dated)
    if item.get("type") != "Consumption" or item.get("unitOfMeasure") != "1 Hour":
        return "it is not for an hour"
    if "Low Priority" in item.get("skuName", ""):
        return "Low Priority, which spot has replaced"
    purchase = Purchase.SPOT if item.get("skuName", "").endswith(" Spot") else Purchase.ON_DEMAND
    return Offer(machine, region, purchase, amount, source, dated)
