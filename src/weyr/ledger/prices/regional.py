"""What does a price book ask in another region, or since it was written? Derived from the rates and offers that are
known; never a guess.

`aws/fargate/eu-west-1` is Fargate's book with that region's own prices; so for S3's and for a machine's. A SKU that no
rate is known of there is in no book: it is counted and has no price. Where a list was read that is newer than the book,
what it says of the book's own region holds before what is written. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from weyr.core.metering import Price
from weyr.core.units import HOUR_S, MONTH_S
from weyr.ledger.prices.books import CPU, CPU_SPOT, EGRESS_FAR, EGRESS_LOCAL, MEMORY, MEMORY_SPOT, PriceBook
from weyr.ledger.prices.offers import Offer, Purchase
from weyr.ledger.prices.rates import Rate, price_of

GIB = 2**30
STORAGE_BOOK, FARGATE_BOOK = "aws/s3-standard", "aws/fargate"
_CLASSES = {
    "": "standard", "standard_ia": "standard_infrequent_access", "onezone_ia": "one_zone_infrequent_access",
    "glacier_ir": "glacier_instant_retrieval", "glacier": "glacier_flexible_retrieval",
    "deep_archive": "glacier_deep_archive",
}  # fmt: skip
"""Storage classes as lifecycle rules name them, and as rates do."""
_THAWED = ("glacier", "deep_archive")
"""Of these a GET is one that a restore at its standard speed went before."""
_FARGATE = {CPU: "cpu", MEMORY: "memory", CPU_SPOT: "cpu.spot", MEMORY_SPOT: "memory.spot"}

Priced = tuple[str, tuple[Price, tuple[Rate | Offer, ...]]]
"""A SKU, its price, and what that is taken from; from nothing where it is free everywhere."""

RatesOf = Callable[[str, str], Mapping[str, Rate]]
"""The rates of a service in a region, by name."""
OffersOf = Callable[[str, str], Iterable[Offer]]
"""The offers of a machine of AWS in a region."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of AWS's prices, by service and by machine."""

    rates: RatesOf
    offers: OffersOf


@dataclass(frozen=True)
class Books(Mapping[str, PriceBook]):
    """The price books that are written down, by name, with what was `read` since they were; and each of AWS in any
    region that its prices are known of.

    Those in a region are found by `NAME/REGION` and derived when they are first asked for: only the others are listed.
    """

    written: Mapping[str, PriceBook]
    known: Facts
    read: Facts
    _derived: dict[str, PriceBook | None] = field(default_factory=dict)

    def __getitem__(self, name: str) -> PriceBook:
        if name not in self._derived:
            self._derived[name] = self._renewed(self.written[name]) if name in self.written else self._in_region(name)
        found = self._derived[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.written)

    def __len__(self) -> int:
        return len(self.written)

    def _in_region(self, name: str) -> PriceBook | None:
        written, _, region = name.rpartition("/")
        book = self.written.get(written)
        if book is None or book.provider != "aws" or not region:
            return None
        if region == book.region:
            return replace(self[written], name=name)
        rates = self.known.rates("s3", region)
        if f"{_CLASSES['']}.storage" not in rates:
            return None
        storage = _derived(self.written[STORAGE_BOOK], name, region, dict(_of_storage(rates)))
        if written == STORAGE_BOOK:
            return storage
        return self._tasks(book, storage, region)

    def _tasks(self, book: PriceBook, storage: PriceBook, region: str) -> PriceBook | None:
        if book.is_whole:
            _, _, instance = book.name.partition("/")
            priced = dict(_of_machine(self.known.offers(instance, region)))
        else:
            priced = dict(_of_fargate(self.known.rates("fargate", region))) if book.name == FARGATE_BOOK else {}
        return _with(book, storage, priced, book.title) if {CPU, MEMORY} <= priced.keys() else None

    def _renewed(self, book: PriceBook) -> PriceBook:
        """The book with what a newer list says of its own region."""
        if book.provider != "aws":
            return book
        priced = dict(_of_storage(_since(book, self.read.rates("s3", book.region))))
        if book.is_whole:
            offers = self.read.offers(book.name.partition("/")[2], book.region)
            priced |= _of_machine(offer for offer in offers if offer.dated > book.dated)
        elif book.name == FARGATE_BOOK:
            priced |= _of_fargate(_since(book, self.read.rates("fargate", book.region)))
        facts = [fact for _, told in priced.values() for fact in told]
        if not facts:
            return book
        prices = {**book.prices, **{sku: price for sku, (price, told) in priced.items() if told}}
        source, _ = _told([*((fact.source, fact.dated) for fact in facts), (book.source, book.dated)])
        return replace(book, prices=prices, source=source)


def _since(book: PriceBook, rates: Mapping[str, Rate]) -> dict[str, Rate]:
    return {name: rate for name, rate in rates.items() if rate.dated > book.dated}


def _of_storage(rates: Mapping[str, Rate]) -> Iterator[Priced]:
    """Each SKU that is priced, with the rates that make its price."""
    for name, long in _CLASSES.items():
        suffix = f".{name}" if name else ""
        stored, moved = rates.get(f"{long}.storage"), rates.get(f"{long}.transition")
        written, read = rates.get(f"{long}.put"), rates.get(f"{long}.get")
        retrieved = rates.get(f"{long}.retrieval") or rates.get(f"{long}.retrieval.standard")
        thawed = rates.get(f"{long}.retrieval.requests.standard")
        if stored:
            yield f"storage.{name or 'standard'}", (_priced(stored, GIB, MONTH_S), (stored,))
        if written:
            yield f"requests.write{suffix}", (_priced(written), (written,))
        if read and name not in _THAWED:
            yield f"requests.read{suffix}", (_priced(read), (read,))
        if read and thawed and name in _THAWED:
            yield f"requests.read{suffix}", (price_of(f"{read.amount + thawed.amount:f}"), (read, thawed))
        if moved and name:
            yield f"requests.move{suffix}", (_priced(moved), (moved,))
        if retrieved and name:
            yield f"retrieval{suffix}", (_priced(retrieved, GIB), (retrieved,))
    if sent := rates.get("egress.internet"):
        # The free part is the account's in all regions, so all of them count together.
        yield EGRESS_FAR, (replace(_priced(sent, GIB), tally=f"{STORAGE_BOOK} {EGRESS_FAR}"), (sent,))
    yield EGRESS_LOCAL, (Price(0, 1, 1), ())


def _priced(rate: Rate, unit: int = 1, per_s: int = 1) -> Price:
    """A rate as meters count: `unit` of what is metered are one of its units, in use for `per_s`."""
    steps = "; ".join(f"{step.amount:f}" + (f" to {step.up_to:f}" if step.up_to else "") for step in rate.steps)
    return price_of(steps, rate.free, unit, per_s, f"aws {rate.service} {rate.name} {rate.region}")


def _of_fargate(rates: Mapping[str, Rate]) -> Iterator[Priced]:
    for sku, name in _FARGATE.items():
        if rate := rates.get(name):
            yield sku, (_priced(rate, 1000, HOUR_S), (rate,))


def _of_machine(offers: Iterable[Offer]) -> Iterator[Priced]:
    """A whole machine: on demand as it is listed, on spot the median of its zones."""
    found = list(offers)
    bought = ((Purchase.ON_DEMAND, (CPU, MEMORY)), (Purchase.SPOT, (CPU_SPOT, MEMORY_SPOT)))
    for purchase, skus in bought:
        told = tuple(offer for offer in found if offer.purchase is purchase)
        if not told:
            continue
        amount = median(offer.usd_per_hour for offer in told)
        machine = told[0].machine
        for sku, has in zip(skus, (machine.vcpus, machine.memory_gib), strict=True):
            yield sku, (price_of(f"{round(amount, 6):f}", unit=int(has * 1000), per_s=HOUR_S), told)


def _derived(
    book: PriceBook, name: str, region: str, priced: Mapping[str, tuple[Price, tuple[Rate | Offer, ...]]]
) -> PriceBook:
    prices = {sku: price for sku, (price, _) in priced.items()}
    title = f"{book.title.removesuffix(book.region)}{region}"
    told = _told((fact.source, fact.dated) for _, facts in priced.values() for fact in facts)
    return replace(book, name=name, prices=prices, title=title, region=region, source=told[0], dated=told[1])


def _with(
    book: PriceBook, storage: PriceBook, priced: Mapping[str, tuple[Price, tuple[Rate | Offer, ...]]], title: str
) -> PriceBook:
    """The book in the storage's region; its own prices beside those."""
    used = [(fact.source, fact.dated) for _, facts in priced.values() for fact in facts]
    told = _told([*used, (storage.source, storage.dated)])
    return replace(
        storage, prices={**storage.prices, **{sku: price for sku, (price, _) in priced.items()}},
        title=title.replace(book.region, storage.region), source=told[0], dated=told[1], is_whole=book.is_whole,
    )  # fmt: skip


def _told(each: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Where all of it can be looked up, and the oldest of its days."""
    listed = list(each)
    return "; ".join(dict.fromkeys(source for source, _ in listed)), min(dated for _, dated in listed)
