"""Prices are data with a source and a date; what has no price is never free."""

import re

import pytest

from weyr.core.diagnostic import UserError
from weyr.core.units import Money
from weyr.ledger.meters import COUNTED
from weyr.ledger.prices import (
    CPU,
    CPU_SPOT,
    DEFAULT_BOOK,
    EGRESS_FAR,
    EGRESS_LOCAL,
    MEMORY,
    MEMORY_SPOT,
    REQUESTS_READ,
    REQUESTS_WRITE,
    STORAGE,
    Catalogue,
    own_book,
)

CATALOGUE = Catalogue.shipped()


def test_every_book_names_its_source_and_date() -> None:
    """A user who doubts a bill can look the price up."""
    for book in CATALOGUE.books.values():
        assert book.source, book.name
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", book.dated), book.name
        assert book.currency == "USD"


def test_no_spot_price_is_above_on_demand_and_none_is_a_sentinel() -> None:
    """Public catalogues carry both faults; a shipped one must not."""
    for book in CATALOGUE.books.values():
        for on_demand, spot in ((CPU, CPU_SPOT), (MEMORY, MEMORY_SPOT)):
            full, less = book.price(on_demand), book.price(spot)
            if full and less:
                assert 0 < less.micros <= full.micros, book.name
        for sku, price in book.prices.items():
            assert sku == EGRESS_LOCAL or price.micros > 0, book.name
            assert price.micros < 200_000_000, book.name


@pytest.mark.parametrize(
    ("sku", "count", "micros"),
    [(REQUESTS_WRITE, 1_000_000, 5_000_000), (REQUESTS_READ, 1_000_000, 400_000), (REQUESTS_READ, 2, 0),
     (REQUESTS_READ, 3, 1), (EGRESS_FAR, 2**30, 0), (EGRESS_FAR, 101 * 2**30, 90_000), (EGRESS_LOCAL, 2**40, 0)],
)  # fmt: skip
def test_what_is_counted_costs_what_the_list_says(sku: str, count: int, micros: int) -> None:
    """A request costs less than a millionth of a dollar, and a million of them do not cost nothing."""
    price = CATALOGUE.price(DEFAULT_BOOK, sku)
    assert price is not None
    assert price.cost_micros(count * COUNTED) == micros


@pytest.mark.parametrize(
    ("sku", "quantity", "hours", "micros"),
    [(CPU, 1000, 1, 40_480), (MEMORY, 1000, 1, 4_445), (CPU, 1000, 730, 29_550_400), (CPU_SPOT, 500, 2, 12_140),
     (STORAGE, 2**30, 730, 23_000), (STORAGE, 2**40, 730, 23_552_000), (STORAGE, 2**46, 730, 1_492_992_000),
     (CPU, 1, 0.5, 20)],
)  # fmt: skip
def test_a_month_costs_what_the_list_says(sku: str, quantity: int, hours: float, micros: int) -> None:
    """The plan's figure can be checked by hand against the cloud's page."""
    assert CATALOGUE.book(DEFAULT_BOOK).monthly_micros(sku, quantity, hours) == micros


def test_an_unknown_price_is_none_and_never_zero() -> None:
    """An unpriced thing shows as unpriced; zero would say that it is free."""
    assert CATALOGUE.price(DEFAULT_BOOK, "task.gpu") is None
    assert CATALOGUE.price("aws/none", CPU) is None
    assert CATALOGUE.book("aws/s3-standard").monthly_micros(CPU, 1000, 1) is None
    assert CATALOGUE.book("aws/c7i.large").price(CPU_SPOT) is None


def test_an_unknown_book_is_refused_with_the_nearest_name() -> None:
    """`price_as: aws/fargat` is a slip, not a new cloud."""
    with pytest.raises(UserError) as caught:
        CATALOGUE.book("aws/fargat")
    assert 'Did you mean "aws/fargate"?' in caught.value.diagnostics[0].detail


@pytest.mark.parametrize(
    ("milli_cpu", "milli_gib", "micros"),
    [(1000, 4000, 251_500), (1000, 8000, 503_000), (4000, 16000, 1_006_000), (4000, 1000, 1_006_000)],
)
def test_a_share_of_a_whole_machine_is_its_larger_share(milli_cpu: int, milli_gib: int, micros: int) -> None:
    """On aws/g5.xlarge (4 vCPU, 16 GiB) half of the memory keeps others out of half of the machine."""
    used = {CPU: milli_cpu, MEMORY: milli_gib}
    book = CATALOGUE.book("aws/g5.xlarge").beside(used)
    assert sum(book.monthly_micros(sku, quantity, 1) or 0 for sku, quantity in used.items()) == micros


def test_books_by_the_unit_do_not_depend_on_what_stands_beside() -> None:
    """Fargate bills cpu and memory each; there is nothing to share."""
    book = CATALOGUE.book(DEFAULT_BOOK)
    assert book.beside({CPU: 1000, MEMORY: 2000}) == book


def test_an_owner_states_own_costs() -> None:
    """A machine under the desk costs what its owner says, spot or not."""
    book = own_book({"cpu_hour": Money.parse("0.02 USD"), "memory_gib_hour": Money.parse("0.001 USD")})
    assert book.monthly_micros(CPU, 2000, 10) == 400_000
    assert book.price(CPU_SPOT) == book.price(CPU)
    assert book.price(STORAGE) is None
    assert book.price(REQUESTS_READ) is not None, "whoever owns the machine has paid for its requests"


def test_every_unknown_word_and_currency_is_reported_at_once() -> None:
    """One run of the plan shows all that is to be mended."""
    with pytest.raises(UserError) as caught:
        own_book({"cpu_huor": Money(1), "memory_gib_hour": Money(1, "EUR")})
    assert [d.summary for d in caught.value.diagnostics] == ["Unknown price", "Currency not supported"]
