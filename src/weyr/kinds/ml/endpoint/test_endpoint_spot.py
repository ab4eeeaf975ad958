"""An endpoint on spot above a floor on demand: what its plan says of it."""

from typing import Any

import pytest
from endpoint_farm import DIGITS, endpoint

from weyr.core.checking import Proposal
from weyr.core.pools import Market
from weyr.core.ref import Ref
from weyr.core.schema import Spec
from weyr.kinds.ml.endpoint import KIND
from weyr.kinds.ml.endpoint.checks import checks


class Pool(Spec):
    market: Market = Market.SPOT


FINDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a floor below the rest": ({"min": 2, "max": 4, "spot": True, "on_demand": 1}, ""),
    "all that is kept is the floor": ({"min": 2, "max": 4, "spot": True}, ""),
    "it sleeps anyway": ({"min": 0, "max": 4, "spot": True}, ""),
    "one reclaim takes it down": ({"min": 2, "max": 4, "spot": True, "on_demand": 0}, "Spot without a floor"),
    "all of it is the floor": ({"min": 2, "max": 2, "spot": True}, "Spot that is never used"),
    "a floor below nothing": ({"min": 2, "max": 4, "on_demand": 1}, "A floor without spot"),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_a_plan_says_what_a_reclaim_would_do(case: str) -> None:
    """Whoever asks for spot hears of an outage before it happens, and of a setting that has no effect."""
    scale, summary = FINDINGS[case]
    assert [each.summary for each in checks(Proposal({DIGITS: endpoint(scale=scale)}, {}))] == (
        [summary] if summary else []
    )


@pytest.mark.parametrize("where", [{"pool": "gpu"}, {"labels": {"market": "spot"}}])
def test_a_floor_needs_nodes_that_are_not_spot(where: dict[str, Any]) -> None:
    """It would wait for ever, and the endpoint with it."""
    spec = endpoint(scale={"min": 2, "max": 4, "spot": True, "on_demand": 1}, **where)
    proposal = Proposal({DIGITS: spec, Ref("digits", "pool", "gpu"): Pool()}, {})
    assert [finding.summary for finding in checks(proposal)] == ["A floor that has no nodes"]


def test_the_price_of_a_month_knows_both_markets() -> None:
    """A floor of one of three costs as much as on demand, and two of them what spot costs; a shadow needs no floor."""
    spec = endpoint(scale={"min": 3, "max": 9, "spot": True, "on_demand": 1}, shadow={"model": "digits@beta"})
    assert [(line.sku, line.quantity) for line in KIND.expected(spec)] == [
        ("task.cpu", 1000), ("task.cpu.spot", 2000), ("task.cpu.spot", 3000)
    ]  # fmt: skip
