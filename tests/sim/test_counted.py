"""What is asked of a bucket is on the bill once, in worlds that lose replies, kill the server and cut the power."""

from collections import Counter
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.route_usage import OUTSIDE, SERVED, TOKENS_IN, TOKENS_OUT
from weyr.core.units import MICROS
from weyr.ledger.grouping import By
from weyr.ledger.meters import COUNTED
from weyr.sim.chance import chance_of
from weyr.sim.scripts import Script
from weyr.sim.trouble import drawn_trouble
from weyr.sim.world import SimWorld
from weyr.store.ledger import LedgerStore

LAKE = "stack: digits\nbuckets: {lake: {}}\n"
WORLDS = 40
MILLION = 1_000_000


def posted(world: SimWorld) -> Counter[str]:
    """How many of each the journal has, and the money under "micros"."""
    found: Counter[str] = Counter()
    with world.db.read() as connection:
        for line in LedgerStore(world.db).lines(connection, lines_max=100_000):
            if not line.sku.startswith("storage."):
                found[line.sku] += line.used
                found["micros"] += line.signed_micros
    return found


@pytest.mark.parametrize("seed", range(WORLDS))
def test_every_request_is_billed_once(folder: Path, seed: int) -> None:
    """However often the server dies between counting and posting, or hears an old answer; never more than was asked."""
    chance = chance_of(seed, "requests")
    world = SimWorld(KINDS, folder, seed, drawn_trouble(chance_of(seed, "trouble")))
    asked: Counter[str] = Counter()
    world.up(LAKE)
    for turn in range(20):
        world.run(chance.expovariate(1 / 30))
        if world.engine.buckets.held():
            writes, reads, far = chance.randrange(MILLION), chance.randrange(MILLION), chance.randrange(2**34)
            world.engine.buckets.ask("digits-lake", writes, reads, far_bytes=far)
            asked.update({"requests.write": writes, "requests.read": reads, "egress.far": far})
        else:
            world.up(LAKE)  # the power was cut before it was kept that anybody wanted it
        if turn % 5 == 3:
            world.crash()
        assert all(count <= asked[sku] * COUNTED for sku, count in posted(world).items() if sku != "micros")
    world.stop_faults()
    world.up(LAKE)
    world.check_settled(900)
    world.run(120)
    world.down("digits")
    world.check_settled(900)

    bill = posted(world)
    micros = bill.pop("micros")
    world.db.close()
    assert bill == {sku: count * COUNTED for sku, count in asked.items()}
    per_unit = {"requests.write": 5000 / 1000, "requests.read": 400 / 1000, "egress.far": 90_000 / 2**30}
    paid = Counter(asked)
    paid["egress.far"] -= min(100 * 2**30, paid["egress.far"])  # free in each month, and below the cheaper tiers
    exact = sum(count * per_unit[sku] for sku, count in paid.items())
    assert exact - len(asked) <= micros <= exact < 1e6 * MICROS


ASKED = "stack: chat\nendpoints: {chat: {run: serve, ready: /, scale: {min: 1, max: 1}}}\n"
CHAT = "chat/chat"


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_and_token_of_an_endpoint_is_counted_once(folder: Path, seed: int) -> None:
    """Beside what its replicas cost, which is no second time on the bill for them; what others were paid is, whole."""
    chance = chance_of(seed, "answers")
    world = SimWorld(KINDS, folder, seed, drawn_trouble(chance_of(seed, "trouble")), lambda _want: Script(work_s=1e9))
    asked: Counter[str] = Counter()
    world.up(ASKED)
    for turn in range(8):
        world.run(chance.expovariate(1 / 20))
        if world.engine.routes.held():
            counts = {sku: chance.randrange(MILLION) for sku in (SERVED, TOKENS_IN, TOKENS_OUT, OUTSIDE)}
            world.engine.routes.ask(CHAT, *counts.values())
            asked.update(counts)
        else:
            world.up(ASKED)
        if turn % 4 == 3:
            world.crash()
        assert all(n <= asked[sku] for sku, n in counted(world).items())
    world.stop_faults()
    world.up(ASKED)
    world.check_settled(900)
    world.run(40)
    world.down("chat")
    world.check_settled(900)

    assert counted(world) == asked
    bill = world.ledger.cost("chat", By.SKU, world.clock())
    world.db.close()
    micros = {row.key: row.micros for row in bill.rows}
    assert micros[OUTSIDE] == asked[OUTSIDE]
    assert [micros.get(sku, 0) for sku in (SERVED, TOKENS_IN, TOKENS_OUT)] == [0, 0, 0]
    assert not bill.unpriced


def counted(world: SimWorld) -> Counter[str]:
    found: Counter[str] = Counter()
    for counts in world.ledger.counts("chat").values():
        found.update(counts)
    return found
