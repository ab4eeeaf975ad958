"""Every byte-hour is of one storage class, and counted once, in worlds that lose replies and kill the server."""

from collections import Counter
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.ref import Ref
from weyr.ledger.grouping import By
from weyr.ledger.meters import COUNTED, used
from weyr.sim.chance import chance_of
from weyr.sim.trouble import drawn_trouble
from weyr.sim.world import SimWorld
from weyr.store.ledger import LedgerStore

TEXT = """
stack: digits
buckets:
  lake:
    tiers: {standard_ia: /mnt/slow, cold: /mnt/tape}
    lifecycle: [{move_after: 30d, to: standard_ia}]
"""
LAKE = Ref("digits", "bucket", "lake")
WORLDS = 12
SIZE = 2**40
CLASSES = ("STANDARD_IA", "COLD")
PER_UNIT = {
    "requests.write.standard_ia": 10_000 / 1000,
    "requests.read.standard_ia": 1_000 / 1000,
    "requests.move.standard_ia": 10_000 / 1000,
    "retrieval.standard_ia": 10_000 / 2**30,
}
"""What AWS asks for, in millionths."""


@pytest.mark.parametrize("seed", range(WORLDS))
def test_every_byte_hour_is_billed_once_whichever_class_it_is_of(folder: Path, seed: int) -> None:
    """A terabyte that moves between classes for an hour, a piece at a time and back: all its meters together count a
    terabyte from the first look to the proof that it is gone, to the millisecond. Requests and reads by class count
    once each; a class without a price costs nothing, and says so."""
    chance = chance_of(seed, "classes")
    world = SimWorld(KINDS, folder, seed, drawn_trouble(chance_of(seed, "trouble")))
    buckets, asked, held = world.engine.buckets, Counter[str](), dict.fromkeys(CLASSES, 0)
    buckets.fill("digits-lake", SIZE)
    world.up(TEXT)
    for turn in range(16):
        world.run(chance.expovariate(1 / 40))
        if not buckets.held():
            world.up(TEXT)  # the power was cut before it was kept that anybody wanted it
            continue
        name = CLASSES[turn % 2]
        others = sum(size for other, size in held.items() if other != name)
        held[name] = chance.randrange(SIZE - others)
        more = {what: chance.randrange(10**6) for what in ("writes", "reads", "moves", "read_bytes")}
        buckets.classify("digits-lake", name, held[name], **more)
        words = {"writes": "requests.write", "reads": "requests.read", "moves": "requests.move"}
        asked.update({f"{words.get(what, 'retrieval')}.{name.lower()}": count for what, count in more.items()})
        if turn % 5 == 3:
            world.crash()
    world.stop_faults()
    world.up(TEXT)
    world.check_settled(900)
    world.run(120)
    there = {meter.sku: meter.quantity for meter in world.ledger.open_meters() if meter.sku.startswith("storage.")}
    by_class = {f"storage.{name.lower()}": size for name, size in held.items()}
    assert there == {"storage.standard": SIZE - sum(held.values()), **by_class}
    assert "storage.cold" in world.ledger.cost(None, By.STACK, world.clock()).unpriced
    world.down("digits")
    world.check_settled(900)

    stored = [meter for meter in world.ledger.meters_of(LAKE) if meter.sku.startswith("storage.")]
    lives = [(m.run_since_ms or 0, m.closed_ms or 0) for m in stored if m.sku == "storage.standard"]
    assert sum(used(meter, meter.closed_ms or 0) for meter in stored) == SIZE * sum(end - begin for begin, end in lives)
    counted, micros = Counter[str](), Counter[str]()
    with world.db.read() as connection:
        for line in LedgerStore(world.db).lines(connection, lines_max=100_000):
            counted[line.sku] += line.used
            micros[line.sku] += line.signed_micros
    world.db.close()
    for sku, per_unit in PER_UNIT.items():
        assert counted[sku] == asked[sku] * COUNTED
        assert asked[sku] * per_unit - 1 <= micros[sku] <= asked[sku] * per_unit
    assert micros["storage.standard_ia"] > 0
    assert not [sku for sku in counted if sku.endswith(".cold")], "what has no price is counted, and nothing is posted"
