"""What makes a long rehearsal quick changes nothing that it tells."""

from pathlib import Path

from weyr.compose.kinds import KINDS
from weyr.core.ref import Ref
from weyr.sim.clock import VirtualClock
from weyr.sim.rehearsal.arrivals import Arrivals, Burst, JobArrival
from weyr.sim.rehearsal.calm import UNDER_WAY_S, CalmAgenda
from weyr.sim.rehearsal.setting import Setting
from weyr.sim.rehearsal.world import Rehearsal
from weyr.stack.parse import parse_stack
from weyr.store.ledger import LedgerStore

CHAT = Ref("s", "endpoint", "chat")
FILE = """
stack: s
jobs:
  train: {run: x, resources: {cpu: 2, memory: 4GiB}, expected_duration: 20m}
endpoints:
  chat: {run: serve, ready: /, scale: {min: 0, max: 3, target_inflight: 2}}
"""


def test_who_is_on_its_way_for_long_is_looked_at_ever_more_rarely() -> None:
    """An endpoint with more to do than its replicas can is on its way for hours: looks every few seconds were half of
    what a week took to rehearse. Whatever rings brings them back."""
    clock = VirtualClock(0.0)
    agenda = CalmAgenda(clock=clock)
    waits = []
    for _ in range(len(UNDER_WAY_S) + 1):
        agenda.put(CHAT, clock.now() + 0.2)
        waits.append(agenda.times[CHAT] - clock.now())
    assert waits == [*UNDER_WAY_S, UNDER_WAY_S[-1]]
    agenda.advance(CHAT, clock.now() + 0.05)
    agenda.put(CHAT, clock.now() + 0.2)
    assert agenda.times[CHAT] - clock.now() == UNDER_WAY_S[0]


def test_its_ledger_remembers_what_the_store_has(tmp_path: Path) -> None:
    """A bill is added up from meters that are remembered beside the store: one that differed would cost wrongly."""
    jobs = tuple(JobArrival(20.0 * n, "train", 30.0) for n in range(5))
    arrivals = Arrivals(jobs, {"endpoint/chat": (Burst(0.0, 60, 60.0, 0.5),)})
    rehearsal = Rehearsal(KINDS, parse_stack(FILE, "weyr.yaml", KINDS), arrivals, Setting(110.0), tmp_path)
    rehearsal.run()
    store = LedgerStore(rehearsal.db)
    open_meters = rehearsal.ledger.open_meters()
    with rehearsal.db.read() as connection:
        refs = [*rehearsal.world.objects, *rehearsal.runs]
        kept = {ref: store.meters_of(connection, ref) for ref in refs}
        known = {ref: rehearsal.meters.meters_of(connection, ref) for ref in refs}
    rehearsal.close()
    assert open_meters
    assert known == kept
