"""A plan keeps the prices it was reckoned by, and tells which of them are others today."""

from dataclasses import replace

from weyr.core.metering import Price
from weyr.core.schema import from_json, to_json
from weyr.ledger.prices import CPU, CPU_SPOT, MEMORY, Catalogue
from weyr.ledger.prices.pins import Pin, changed_since, pin_of

BOOK = Catalogue.shipped().book("aws/fargate")


def test_a_plan_is_priced_again_to_the_same_amounts() -> None:
    """Also after it was written down and read, and for a whole machine, of which one share is included."""
    for name in ("aws/fargate", "aws/g5.xlarge"):
        book = Catalogue.shipped().book(name)
        kept: Pin = from_json(Pin, to_json(Pin, pin_of(book)))
        task = {CPU: 2000, MEMORY: 4000}

        again, then = kept.as_book().beside(task), book.beside(task)
        assert [again.monthly_micros(sku, n, 730) for sku, n in task.items()] == [
            then.monthly_micros(sku, n, 730) for sku, n in task.items()
        ]
        assert kept.version == book.version == kept.as_book().version


def test_what_has_changed_is_told_by_how_much() -> None:
    """Whoever carries out a plan of last month sees what it costs otherwise today."""
    cpu = BOOK.prices[CPU]
    today = replace(BOOK, prices={**BOOK.prices, CPU: Price(cpu.micros * 5 // 4, cpu.per_quantity, cpu.per_s)})
    del today.prices[CPU_SPOT]  # type: ignore[attr-defined]

    assert [str(each) for each in changed_since(pin_of(BOOK), today, BOOK.prices)] == [
        "task.cpu costs 25% more",
        "task.cpu.spot has no known price any more",
    ]
    assert changed_since(pin_of(BOOK), BOOK, BOOK.prices) == []
    assert today.version != BOOK.version
