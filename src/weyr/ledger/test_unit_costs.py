"""The price of a request is what its replicas cost while they answered and while they waited."""

from dataclasses import replace

from weyr.core.metering import Meter, Price
from weyr.core.ref import ThingId
from weyr.ledger.unit_costs import Use, spent_between, together, unit_cost

HOUR_MS = 3_600_000
CPU = Meter(
    ThingId.parse("digits:endpoint/digits#1"), "task.cpu", "book", Price(40_000, 1000, 3600), 0, quantity=2000,
    run_since_ms=HOUR_MS, run_from_ms=HOUR_MS,
)  # fmt: skip


def test_what_a_replica_costs_is_by_the_time_it_runs() -> None:
    """Before its start and after its recorded end it costs nothing, whenever somebody looks."""
    ended = replace(CPU, until_ms=HOUR_MS + HOUR_MS // 4)

    assert spent_between([CPU], 0, 2 * HOUR_MS) == 80_000
    assert spent_between([CPU], HOUR_MS + HOUR_MS // 2, 2 * HOUR_MS) == 40_000
    assert spent_between([ended], 0, 2 * HOUR_MS) == 20_000
    assert spent_between([replace(CPU, price=None), replace(CPU, run_since_ms=None)], 0, 2 * HOUR_MS) == 0


def test_idle_time_is_in_the_price_of_a_request() -> None:
    """Ten requests in an hour pay for the hour."""
    cost = unit_cost(Use(0, 500, 100, 1000), Use(HOUR_MS, 80_500, 110, 5000))

    assert (cost.micros, cost.requests, cost.tokens) == (80_000, 10, 4000)
    assert cost.per_thousand_requests == 8_000_000
    assert cost.per_million_tokens == 20_000_000


def test_nothing_answered_has_no_price() -> None:
    """An endpoint that waits costs money and has no price of a request; a zero would look like a gift."""
    cost = unit_cost(Use(0), Use(HOUR_MS, 80_000))

    assert (cost.micros, cost.per_thousand_requests, cost.per_million_tokens) == (80_000, None, None)


def test_an_endpoint_is_the_sum_of_its_versions() -> None:
    """A canary's replicas are paid by all requests until it is alone."""
    assert together([Use(1, 10, 2, 3), Use(1, 20, 4, 5)], 7) == Use(7, 30, 6, 8)
