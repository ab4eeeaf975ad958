"""A plan's range of spot is what was seen of it, not a guess."""

from dataclasses import replace
from statistics import median

from weyr.ledger.prices import CPU, CPU_SPOT, Catalogue
from weyr.ledger.prices.offers import Purchase
from weyr.ledger.prices.spot_ends import spot_ends

CATALOGUE = Catalogue.shipped()


def test_a_machines_spot_lies_between_what_its_zones_were_seen_at() -> None:
    """Whoever reads the plan sees how far spot moves there: from the cheapest zone to the dearest."""
    book = CATALOGUE.book("aws/g5.xlarge")
    zones = [
        round(offer.usd_per_hour * 10**6)
        for offer in CATALOGUE.offers(provider="aws", region="us-east-1", instance="g5.xlarge", purchase=Purchase.SPOT)
    ]

    low, high = spot_ends(CATALOGUE, book)

    assert len(zones) > 2
    assert book.prices[CPU_SPOT].micros == median(zones)
    assert low.prices[CPU_SPOT].micros == min(*zones, book.prices[CPU_SPOT].micros)
    assert high.prices[CPU_SPOT].micros == max(*zones, book.prices[CPU_SPOT].micros) < book.prices[CPU].micros
    assert low.prices[CPU] == high.prices[CPU] == book.prices[CPU]


def test_spot_that_was_seen_once_or_never_may_cost_as_much_as_on_demand() -> None:
    """One price says nothing of how far it moves, and nobody pays more than on demand."""
    fargate = CATALOGUE.book("aws/fargate")
    low, high = spot_ends(CATALOGUE, fargate)

    assert (low.prices[CPU_SPOT], high.prices[CPU_SPOT].micros) == (
        fargate.prices[CPU_SPOT],
        fargate.prices[CPU].micros,
    )
    unseen = replace(CATALOGUE.book("aws/g5.xlarge"), region="nowhere")
    assert spot_ends(CATALOGUE, unseen)[1].prices[CPU_SPOT].micros == unseen.prices[CPU].micros


def test_what_has_no_spot_has_no_range() -> None:
    """A price that is certain is shown as one figure."""
    book = CATALOGUE.book("aws/c7i.large")
    assert spot_ends(CATALOGUE, book) == (book, book)
