"""A pool's nodes beside what clouds ask for such machines: the cheapest that would do, and why others would not."""

from dataclasses import replace

from weyr.core.pools import Market, NodeWish
from weyr.ledger.prices import Catalogue
from weyr.stack.machines import machines_for, machines_of_tasks
from weyr.stack.steps import Amount, CostLine

OFFERS = Catalogue.shipped().all_offers
STATED = Amount(730 * 12_500_000)
BOX = NodeWish("H100", 8, 96, 1024 * 2**30)


def told(wish: NodeWish, stated: Amount = STATED) -> list[tuple[str, str]]:
    return [(way.name, way.why) for way in machines_for(wish, 730, stated, OFFERS)]


def test_a_pool_is_compared_with_machines_that_have_its_devices() -> None:
    """Whoever states 12.50 USD for a box of eight H100 sees what a cloud asks for one."""
    chosen, *others = machines_for(BOX, 730, STATED, OFFERS)

    assert (chosen.is_chosen, chosen.month) == (True, STATED)
    assert all("on demand" in way.name and "states nodes of its own" in way.why for way in others[:2])
    assert [way.month.micros for way in others[:2]] == sorted(way.month.micros for way in others[:2])


def test_a_machine_that_would_not_do_says_what_it_lacks() -> None:
    """A cheaper one is not passed over in silence: it has one device, too little memory, or is spot."""
    assert "of 8" in told(BOX)[-1][1] or "spot is not asked for" in told(BOX)[-1][1]
    assert "spot is not asked for" not in " ".join(why for _, why in told(NodeWish("T4", 1, market=Market.SPOT)))
    assert any("cores of 10000" in why for _, why in told(NodeWish("T4", 1, cpu=10_000)))


def test_a_pool_without_a_price_is_still_compared() -> None:
    """An unknown price is no difference of its whole."""
    assert all("states no price" in why for _, why in told(BOX, Amount(0, ("node.hour",)))[1:])


def test_a_task_is_compared_with_the_machine_that_it_would_be_put_on() -> None:
    """Where each task has a machine: the cheapest that would do, and a cheaper one with what it lacks."""
    lines = (CostLine("task.cpu", 8000, 730, 236_000_000), CostLine("task.memory", 16_000, 730, 52_000_000))
    here = Catalogue.shipped().offers(provider="aws", region="us-east-1")
    wish, chosen = NodeWish("", 0, 4, 8 * 2**30), Amount(288_000_000)

    fits, cheaper = machines_of_tasks(wish, lines, chosen, here, "aws/fargate", None)

    assert fits.name.startswith("a machine each, aws ")
    assert fits.why.endswith("price_as is aws/fargate")
    assert cheaper.month.micros < fits.month.micros < chosen.micros
    assert any(lack in cheaper.why for lack in ("cores of 4", "Arm", "burstable", "of 8 GiB", "generation"))
    assert machines_of_tasks(replace(wish, cpu=10_000), lines, chosen, here, "aws/fargate", None) == ()


def test_what_no_cloud_offers_is_compared_with_nothing() -> None:
    """Devices of one's own that nobody sells, or nodes that never run."""
    assert machines_for(NodeWish("ABACUS", 1), 730, STATED, OFFERS) == machines_for(BOX, 0, STATED, OFFERS) == ()
