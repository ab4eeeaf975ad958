"""What does a unit cost? Price books as data, each with its source and date.

A price that is not known is None, and never zero: what cannot be priced is shown as unpriced.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import yaml

from weyr.core.commitments import FEE
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.function_usage import INVOKED
from weyr.core.metering import Price
from weyr.core.route_usage import OUTSIDE, SERVED, TOKENS_IN, TOKENS_OUT
from weyr.core.units import HOUR_S, MICROS, MONTH_S, Money, size_text
from weyr.ledger.prices.rates import price_of

CURRENCY = "USD"
DEFAULT_BOOK = "aws/fargate"

CPU, MEMORY = "task.cpu", "task.memory"
CPU_SPOT, MEMORY_SPOT = "task.cpu.spot", "task.memory.spot"
STORAGE = "storage.standard"
REQUESTS_WRITE, REQUESTS_READ = "requests.write", "requests.read"
EGRESS_LOCAL, EGRESS_FAR = "egress.local", "egress.far"
NODE_MONEY = "node.money"
"""A node at a price that its pool states: the quantity is that price, in millionths per hour."""

_UNITS = {
    CPU: (1000, HOUR_S), CPU_SPOT: (1000, HOUR_S),
    MEMORY: (1000, HOUR_S), MEMORY_SPOT: (1000, HOUR_S),
}  # fmt: skip
_UNITS_OF = {
    "storage.": (2**30, MONTH_S), "requests.": (1000, 1), "egress.": (2**30, 1), "retrieval.": (2**30, 1),
}  # fmt: skip
"""For which quantity and how many seconds a book's amount is, by SKU or by how it begins: tasks count in thousandths of
a vCPU or GiB, storage in bytes. Of a counter (requests, bytes that left) each counts for a second."""

_OWN_SKUS = {
    "cpu_hour": CPU,
    "memory_gib_hour": MEMORY,
    "spot_cpu_hour": CPU_SPOT,
    "spot_memory_gib_hour": MEMORY_SPOT,
    "storage_gib_month": STORAGE,
    "egress_gib": EGRESS_FAR,
}
_WHOLE = ((CPU, MEMORY), (CPU_SPOT, MEMORY_SPOT))
_SIZED = frozenset(sku for pair in _WHOLE for sku in pair)
_INCLUDED = Price(0, 1, 1)
_FREE_AT_HOME = (REQUESTS_WRITE, REQUESTS_READ, EGRESS_LOCAL, EGRESS_FAR)
"""Who owns the machine has paid for these with it, unless he says what a GiB that leaves costs him."""
_EVERYWHERE = {
    **dict.fromkeys((NODE_MONEY, FEE), Price(1, 1, HOUR_S)),
    # An answer of one's own replicas is paid with them; one of somebody elsewhere costs what he asks.
    # So is what a function was called for: its host is paid by the time that it stands.
    **dict.fromkeys((SERVED, TOKENS_IN, TOKENS_OUT, INVOKED), _INCLUDED),
    OUTSIDE: Price(1, 1, 1),
}
"""Prices that are the same in every book."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one place. `is_whole`: a whole machine's price, of which cpu and memory each take a share."""

    name: str
    prices: Mapping[str, Price]
    title: str = ""
    source: str = ""
    dated: str = ""
    is_whole: bool = False
    currency: str = field(default=CURRENCY)
    region: str = ""
    """Where its prices hold; "" where nobody says."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """What a provider asks for beside a SKU's price, which no meter counts, in words."""

    @property
    def provider(self) -> str:
        """Who asks for these prices: `aws` of `aws/fargate`; "" for the owner of a machine."""
        provider, slash, _ = self.name.partition("/")
        return provider if slash else ""

    @property
    def version(self) -> str:
        """Names exactly these prices: a plan that carries it can be priced again to the same amounts."""
        told = [f"{self.name} {self.currency} {self.is_whole}"]
        told += [
            f"{sku} {price.micros}/{price.per_quantity}/{price.per_s}"
            + (f" {price.free} {[(tier.above, tier.micros) for tier in price.tiers]}" if price.is_tiered else "")
            for sku, price in sorted(self.prices.items())
        ]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

    def price(self, sku: str) -> Price | None:
        return _EVERYWHERE[sku] if sku in _EVERYWHERE else self.prices.get(sku)

    def monthly_micros(self, sku: str, quantity: int, hours: float, before: int = 0) -> int | None:
        """What `quantity` of `sku` costs for `hours` of a month; None where no price is known.

        `before`: what was used in that month already of its tally, quantity x milliseconds.
        """
        price = self.price(sku)
        return None if price is None else price.cost_micros(quantity * round(hours * HOUR_S * 1000), before)

    def tally(self, sku: str) -> str:
        """What the SKU's use is counted together with in a month; "" where it costs the same however much it is."""
        price = self.price(sku)
        return "" if price is None else price.tally

    def tiers_text(self, sku: str, used: int, before: int) -> str:
        """Which tiers a month's use lies in, such as `100GB of egress.far free`, or what else is asked for."""
        price = self.price(sku)
        if price is None or not price.is_tiered or not used:
            return self.terms.get(sku, "") if used else ""
        free = max(0, min(used, price.free - before))
        cheaper = [tier for tier in price.tiers if before + used > price.free + tier.above]
        parts = [f"{_counted(sku, free)} of {sku} free"] if free else []
        parts += [f"{sku} cheaper above {_counted(sku, price.free + cheaper[0].above)}"] if cheaper else []
        return ", ".join(parts)

    def fits(self, quantities: Mapping[str, int]) -> bool:
        """Whether something that uses all of these at once fits a whole machine; always, where it is no machine's."""
        if not self.is_whole:
            return True
        return all(
            sku not in self.prices or quantities[sku] <= self.prices[sku].per_quantity
            for sku in _SIZED & quantities.keys()
        )

    def beside(self, quantities: Mapping[str, int]) -> "PriceBook":
        """The book as it holds for one task that uses all of these at once.

        A whole machine is shared by whichever of cpu and memory takes the larger part of it: that one
        is billed, the other is included. Two tasks that fit the machine together never cost more than it.
        """
        if not self.is_whole:
            return self
        included = {
            _lesser(self.prices, pair, quantities): _INCLUDED for pair in _WHOLE if set(pair) <= set(quantities)
        }
        return replace(self, prices={**self.prices, **{sku: _INCLUDED for sku in included if sku in self.prices}})


def _lesser(prices: Mapping[str, Price], pair: tuple[str, str], quantities: Mapping[str, int]) -> str:
    cpu, memory = pair
    if cpu not in prices or memory not in prices:
        return memory
    costs = [prices[sku].hourly_micros(quantities[sku]) for sku in pair]
    return memory if costs[0] >= costs[1] else cpu


def _counted(sku: str, used: int) -> str:
    """So much of a month as people count it: bytes as a size, all else as a number."""
    quantity, per_s = _unit_of(sku)
    amount = used // (per_s * 1000)
    return size_text(amount) if quantity == 2**30 else f"{amount:,}"


def _unit_of(sku: str) -> tuple[int, int]:
    found = (unit for start, unit in _UNITS_OF.items() if sku.startswith(start))
    return _UNITS[sku] if sku in _UNITS else next(found, (1, 1))


def parse_books(books_yaml: str, machines_csv: str) -> dict[str, PriceBook]:
    """Reads `data/books.yaml` and `data/machines.csv`, or others written like them: the books by name."""
    written = yaml.safe_load(books_yaml)
    books = {name: _listed(name, book) for name, book in written.items()}
    for name, book in written.items():
        if "beside" in book:
            other = books[book["beside"]]
            books[name] = replace(books[name], prices={**other.prices, **books[name].prices}, terms=other.terms)
    storage = books[written[DEFAULT_BOOK]["beside"]]
    machines = [_machine(row, storage) for row in csv.DictReader(io.StringIO(machines_csv))]
    return {**books, **{book.name: book for book in machines}}


def own_book(amounts: Mapping[str, Money]) -> PriceBook:
    """The book of a machine whose cost its owner states: `{"cpu_hour": 0.02 USD, ...}`.

    Spot costs what on demand does unless said otherwise: it is the same machine.
    Raises: UserError, with every word that is not known and every currency but USD.
    """
    problems = [p for key, money in amounts.items() for p in _own_problems(key, money)]
    if problems:
        raise UserError(*problems)
    prices = {_OWN_SKUS[key]: _price(_OWN_SKUS[key], money.micros) for key, money in amounts.items()}
    for spot, on_demand in ((CPU_SPOT, CPU), (MEMORY_SPOT, MEMORY)):
        if on_demand in prices:
            prices.setdefault(spot, prices[on_demand])
    prices = dict.fromkeys(_FREE_AT_HOME, _INCLUDED) | prices
    return PriceBook("own", prices, title="stated by the owner of the machine")


def _own_problems(key: str, money: Money) -> list[Diagnostic]:
    problems = []
    if key not in _OWN_SKUS:
        detail = f'There is no price "{key}".{did_you_mean(key, _OWN_SKUS)}'
        problems.append(Diagnostic("Unknown price", detail))
    if money.currency != CURRENCY:
        detail = f'"{key}" is in {money.currency}; the ledger keeps its accounts in {CURRENCY}.'
        problems.append(Diagnostic("Currency not supported", detail))
    return problems


def _price(sku: str, micros: int) -> Price:
    return Price(micros, *_unit_of(sku))


def _micros(amount: str) -> int:
    micros = Decimal(amount) * MICROS
    assert micros == int(micros) >= 0, f"{amount} is not a number of millionths"
    return int(micros)


def _listed(name: str, book: Mapping[str, object]) -> PriceBook:
    amounts = book["prices"]
    assert isinstance(amounts, dict)
    prices = {sku: _written(name, sku, amount) for sku, amount in amounts.items()}
    region, terms = str(book.get("region", "")), book.get("terms", {})
    assert isinstance(terms, dict)
    told = str(book["title"]), str(book["source"]), str(book["dated"])
    return PriceBook(name, prices, *told, region=region, terms=terms)


def _written(book: str, sku: str, amount: object) -> Price:
    """`0.023`, or `{tiers: 0.09 to 10240; 0.085, free: 100}` in the units that an amount is for."""
    told = amount if isinstance(amount, dict) else {"tiers": amount}
    unit, per_s = _unit_of(sku)
    return price_of(str(told["tiers"]), str(told.get("free", 0)), unit, per_s, f"{book} {sku}")


def _machine(row: Mapping[str, str], storage: PriceBook) -> PriceBook:
    """A whole machine: all of its vCPUs for an hour cost what it costs, and so does all of its memory."""
    milli_cpu, milli_gib = int(row["vcpus"]) * 1000, int(Decimal(row["memory_gib"]) * 1000)
    prices = dict(storage.prices)
    for amount, (cpu, memory) in zip((row["on_demand_usd_hour"], row["spot_usd_hour"]), _WHOLE, strict=True):
        if amount:
            prices[cpu] = Price(_micros(amount), milli_cpu, HOUR_S)
            prices[memory] = Price(_micros(amount), milli_gib, HOUR_S)
    told = row["title"], row["source"], row["dated"]
    region = row.get("region", "")
    return PriceBook(row["book"], prices, *told, is_whole=True, region=region, terms=storage.terms)
