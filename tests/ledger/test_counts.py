"""What was asked of an endpoint is counted by day and once, and money paid elsewhere is on the bill."""

from weyr.core.kind import Usage
from weyr.core.ref import Ref, ThingId
from weyr.core.route_usage import OUTSIDE, SERVED, TOKENS_IN
from weyr.ledger.grouping import By
from weyr.ledger.ledger import Ledger

CHAT = Ref("digits", "endpoint", "chat")
DAY_S = 86_400
NOON = 20_000 * DAY_S + 43_200.0
FIRST, SECOND = "2024-10-04", "2024-10-05"


def read(ledger: Ledger, now: float, requests: int, tokens: int = 0, outside: int = 0, since: float = NOON) -> None:
    counts = ((SERVED, requests), (TOKENS_IN, tokens), (OUTSIDE, outside))
    usages = [Usage("route", sku, count, since) for sku, count in counts if count]
    with ledger._store.db.write() as connection:
        ledger.read(connection, CHAT, usages, "aws/fargate", now, (("endpoint", "chat"),))


def counted(ledger: Ledger, first: str, last: str) -> dict[str, int]:
    return {sku: n for counts in ledger.counts("digits", first, last).values() for sku, n in counts.items()}


def test_each_answer_counts_for_one_day(ledger: Ledger) -> None:
    """Read twice, late or after a restart that knows less: nothing counts again, and each day has its own."""
    for requests, tokens in ((3, 100), (3, 100), (2, 90), (5, 250)):
        read(ledger, NOON + 10, requests, tokens)
    read(ledger, NOON + DAY_S, 9, 250)
    assert counted(ledger, FIRST, FIRST) == {SERVED: 5, TOKENS_IN: 250}
    assert counted(ledger, SECOND, SECOND) == {SERVED: 4}
    assert counted(ledger, "", "9999") == {SERVED: 9, TOKENS_IN: 250}
    assert ledger.counts("other") == {}
    read(ledger, NOON + DAY_S + 60, 2, since=NOON + DAY_S)
    assert counted(ledger, "", "9999")[SERVED] == 11, "a route that came again counts from nothing"


def test_an_answer_of_ones_own_costs_nothing_more_and_one_of_others_what_they_asked(ledger: Ledger) -> None:
    """Replicas are paid by time: their answers are no second price, and no unknown one. What a server elsewhere was
    paid is on the endpoint's bill, to the micro-unit."""
    read(ledger, NOON, 1000, 5_000, 123_456)
    bill = ledger.cost("digits", By.SKU, NOON + 1)
    assert bill.unpriced == ()
    assert {row.key: row.micros for row in bill.rows if row.micros} == {OUTSIDE: 123_456}
    read(ledger, NOON + 120, 1000, 5_000, 200_000)
    with ledger._store.db.write() as connection:
        ledger.close(connection, CHAT, "route", NOON + 130)
    assert ledger.cost("digits", By.OBJECT, NOON + 200).total_micros == 200_000
    assert ledger.spent_on([ThingId(CHAT, "route")], NOON + 200) == {ThingId(CHAT, "route"): 200_000}
    assert ledger.open_meters() == ()
