"""What is asked of a bucket is on the bill once, in worlds that lose replies, kill the server and cut the power."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from mutations import ClosesBeforeItReads, ForgetsLastReadings

from weyr.compose.kinds import KINDS
from weyr.core.function_usage import INVOKED
from weyr.core.ref import ThingId
from weyr.core.route_usage import EGRESS_FAR, EGRESS_LOCAL, OUTSIDE, SERVED, TOKENS_IN, TOKENS_OUT
from weyr.core.units import MICROS
from weyr.ledger.grouping import By
from weyr.ledger.meters import COUNTED
from weyr.reconcile.loop import Loop
from weyr.sim.chance import chance_of
from weyr.sim.functions import SimFunctions
from weyr.sim.scripts import Script
from weyr.sim.services import SimBuckets, SimRoutes
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


ASKED = """
stack: chat
buckets: {lake: {}}
endpoints: {chat: {run: serve, ready: /, scale: {min: 1, max: 1}}}
services: {site: {run: serve, listens: true}}
functions: {thumbs: {handler: "app:main"}}
"""
COUNTED_SKUS = (SERVED, TOKENS_IN, TOKENS_OUT, OUTSIDE, EGRESS_LOCAL, EGRESS_FAR)


class Askers:
    """Who asks all there is of a stack, now and then and at each thing's last moment; `asked` is what that came to."""

    def __init__(self, world: SimWorld, chance: Random) -> None:
        self._chance, self._engine = chance, world.engine
        self.asked: Counter[str] = Counter()
        for shelf in self._shelves:
            shelf.leaving = self.ask

    @property
    def _shelves(self) -> tuple[SimRoutes, SimFunctions, SimBuckets]:
        return self._engine.routes, self._engine.functions, self._engine.buckets

    def ask_all(self) -> None:
        """Somebody asks whatever is there."""
        for shelf in self._shelves:
            for id in shelf.held():
                self.ask(id)

    def ask(self, id: ThingId) -> None:
        """One thing is asked."""
        name, some = f"{id.ref.stack}/{id.ref.name}", self._chance.randrange(1, MILLION)
        match id.ref.kind, id.part:
            case "bucket", _:
                self._engine.buckets.ask(f"{id.ref.stack}-{id.ref.name}", some, far_bytes=some)
                self.asked.update({"requests.write": some, EGRESS_FAR: some})
            case "function", "plane":
                self._engine.functions.call(name, some)
                self.asked[INVOKED] += some
            case "function", _:
                self._engine.routes.ask(name, some, far_bytes=some)
                self.asked[EGRESS_FAR] += some  # its answers are among the invocations
            case _:
                counts = {sku: some + at for at, sku in enumerate(COUNTED_SKUS)}
                self._engine.routes.ask(name, *counts.values())
                self.asked.update(counts)


def played(folder: Path, seed: int, loop: type[Loop] = Loop) -> tuple[SimWorld, Counter[str]]:
    """A world whose stack goes and comes again, asked to the last moment. Gives what was asked of it."""
    chance = chance_of(seed, "answers")
    trouble = drawn_trouble(chance_of(seed, "trouble"))
    world = SimWorld(KINDS, folder, seed, trouble, lambda _want: Script(work_s=1e9), loop=loop)
    askers = Askers(world, chance)
    world.up(ASKED)
    for turn in range(9):
        world.run(chance.expovariate(1 / 15))
        askers.ask_all()
        if turn % 4 == 3:
            world.crash()
        if turn % 3 == 2 and "chat" in world.loop.world.stacks:
            world.down("chat")
        else:
            world.up(ASKED)
        assert counted(world) <= askers.asked
    world.stop_faults()
    world.up(ASKED)
    world.check_settled(900)
    askers.ask_all()
    world.down("chat")
    world.check_settled(900)
    return world, askers.asked


@pytest.mark.parametrize("seed", range(8))
def test_what_is_asked_of_a_thing_until_its_last_moment_is_counted_once(folder: Path, seed: int) -> None:
    """Answers, tokens, bytes, invocations: of each life of a thing, to the end of it, beside what its tasks cost, which
    is no second time on the bill for them; what others were paid is, whole."""
    world, asked = played(folder, seed)

    assert counted(world) == asked
    bill = world.ledger.cost("chat", By.SKU, world.clock())
    world.db.close()
    micros = {row.key: row.micros for row in bill.rows}
    assert micros[OUTSIDE] == asked[OUTSIDE]
    assert [micros.get(sku, 0) for sku in (SERVED, TOKENS_IN, TOKENS_OUT, INVOKED, EGRESS_LOCAL)] == [0] * 5
    assert not bill.unpriced


@pytest.mark.parametrize("careless", [ForgetsLastReadings, ClosesBeforeItReads])
def test_a_kernel_that_takes_no_last_reading_is_caught(folder: Path, careless: type[Loop]) -> None:
    """What was asked between the look before and the end of a thing is what it would lose."""
    world, asked = played(folder, 0, careless)

    lost = asked - counted(world)
    world.db.close()
    assert lost[SERVED] > 0
    assert lost[INVOKED] > 0


def counted(world: SimWorld) -> Counter[str]:
    found: Counter[str] = Counter()
    for counts in world.ledger.counts("chat").values():
        found.update(counts)
    return found
