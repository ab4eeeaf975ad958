"""Everything that has a price: books for what Weyr meters, offers of machines, rates of services. And which version."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from itertools import chain

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.metering import Price
from weyr.ledger.prices.books import DEFAULT_BOOK, PriceBook, parse_books
from weyr.ledger.prices.offers import (
    Machine,
    MachineKey,
    Offer,
    Purchase,
    newest,
    parse_machines,
    parse_offers,
    parse_spots,
)
from weyr.ledger.prices.rates import Rate, RateKey, by_key, parse_rates
from weyr.ledger.prices.regional import Books, Facts

BOOKS, WHOLE_MACHINES, SOURCES = "books.yaml", "machines.csv", "sources.csv"
READ = "-read.csv"
"""How the files end that hold what was read from lists, beside those that came with Weyr."""


@dataclass(frozen=True)
class Catalogue:
    """Price books as they are `written` at once, and the rest of `texts` (file name → content) when it is asked for.

    `texts`: any number of files `offers*.csv`, `spots*.csv` and `rates*.csv`, with `instances*.csv` and `sources.csv`
    beside.
    """

    written: Mapping[str, PriceBook]
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def shipped(cls) -> "Catalogue":
        """The prices that come with Weyr, read once."""
        return _shipped()

    @classmethod
    def parse(cls, books_yaml: str, machines_csv: str, texts: Mapping[str, str] | None = None) -> "Catalogue":
        """Reads the files of `data/`, or others written like them."""
        return cls.of({**(texts or {}), BOOKS: books_yaml, WHOLE_MACHINES: machines_csv})

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "Catalogue":
        """Reads files by their names: `books.yaml` and `machines.csv` at once, the others when they are asked for."""
        return cls(parse_books(texts[BOOKS], texts[WHOLE_MACHINES]), texts)

    @cached_property
    def books(self) -> Books:
        """Price books by name: those that are written, and of AWS's each in any region that its prices are known of."""
        return Books(self.written, Facts(self.rates, self._offers_of), Facts(self._read.rates, self._read._offers_of))

    @cached_property
    def _read(self) -> "Catalogue":
        """What was read from lists since, alone."""
        return Catalogue(
            {}, {name: text for name, text in self.texts.items() if name.endswith(READ) or name == SOURCES}
        )

    def _offers_of(self, instance: str, region: str) -> list[Offer]:
        return self.offers(provider="aws", instance=instance, region=region)

    @cached_property
    def version(self) -> str:
        """Names exactly these prices: a plan that carries it can be priced again to the same amounts."""
        digest = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            digest.update(f"{name}\0{text}\0".encode())
        return digest.hexdigest()[:16]

    @cached_property
    def sources(self) -> dict[str, str]:
        rows = csv.DictReader(io.StringIO(self.texts.get(SOURCES, "")))
        return {row["key"]: row["source"] for row in rows}

    @cached_property
    def machines(self) -> dict[MachineKey, Machine]:
        return {key: machine for text in self._texts_of("instances") for key, machine in parse_machines(text).items()}

    @cached_property
    def all_offers(self) -> tuple[Offer, ...]:
        fixed = (parse_offers(text, self.machines, self.sources) for text in self._texts_of("offers"))
        spots = parse_spots(self._texts_of("spots"), self.machines, self.sources)
        return newest(chain.from_iterable((*fixed, spots)))

    @cached_property
    def all_rates(self) -> dict[RateKey, Rate]:
        """Of each the newest, from whichever list."""
        rates = (rate for text in self._texts_of("rates") for rate in parse_rates(text, self.sources))
        return by_key(sorted(rates, key=lambda rate: rate.dated))

    def offers(
        self, *, provider: str = "", region: str = "", instance: str = "", purchase: Purchase | None = None
    ) -> list[Offer]:
        """The offers that fit everything given, in the order of the files."""
        return [
            offer
            for offer in self.all_offers
            if provider in ("", offer.provider)
            and region in ("", offer.region)
            and instance in ("", offer.instance)
            and purchase in (None, offer.purchase)
        ]

    def rates(self, service: str, region: str, *, provider: str = "aws") -> dict[str, Rate]:
        """The rates of a service by name, as they hold in that region: its own before those of every region."""
        found: dict[str, Rate] = {}
        for place in ("", region):
            for (of, its_service, its_region, name), rate in self.all_rates.items():
                if (of, its_service, its_region) == (provider, service, place):
                    found[name] = rate
        return found

    def rate(self, service: str, region: str, name: str, *, provider: str = "aws") -> Rate | None:
        """One rate; None where no price is known."""
        own = self.all_rates.get((provider, service, region, name))
        return own or self.all_rates.get((provider, service, "", name))

    def book(self, name: str) -> PriceBook:
        """The book of that name. Raises: UserError, with the nearest name."""
        if name not in self.books:
            detail = f'There is no price book "{name}".{did_you_mean(name, self.written)}'
            raise UserError(Diagnostic("Unknown price book", detail, suggestion=f"price_as: {DEFAULT_BOOK}"))
        return self.books[name]

    def price(self, book: str, sku: str) -> Price | None:
        """The price of `sku` in `book`; None where the book or its price is not known."""
        return self.books[book].price(sku) if book in self.books else None

    def _texts_of(self, kind: str) -> Iterator[str]:
        for name, text in sorted(self.texts.items()):
            if name.startswith(kind) and name.endswith(".csv"):
                yield text


@cache
def _shipped() -> Catalogue:
    # Data of the package, the same wherever it runs: reading it is part of importing, not I/O of a decision.
    here = files(__package__) / "data"
    texts = {file.name: file.read_text() for file in here.iterdir() if file.name.endswith((".csv", ".yaml"))}
    return Catalogue.of(texts)
