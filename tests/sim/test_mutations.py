"""The checks are worth what they catch: the kernel is broken in many ways, and each is caught by name."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import mutations as broken
import pytest

from weyr.compose.kinds import KINDS
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.reconcile.loop import Loop
from weyr.reconcile.scheduler import Room
from weyr.sim.broken import Broken
from weyr.sim.checks import EVENTUALLY, LEDGER, MEMORY, NEVER, PLAN, SHARES
from weyr.sim.faults import FaultRates
from weyr.sim.nodes import NodeRates
from weyr.sim.play import Build, play
from weyr.sim.scripts import Script
from weyr.sim.store import StoreRates
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

SEEDS_MAX = 40


@dataclass(frozen=True)
class Mutation:
    """A broken kernel, the checks of which one must catch it, and the seed to begin with."""

    caught_by: set[str]
    build: Build = SimWorld
    kinds: Kinds = field(default_factory=lambda: KINDS)
    first: int = 0
    trouble: Trouble | None = None


def loop(type: type[Loop]) -> Build:
    return partial(SimWorld, loop=type)


def ledger(type: type[Ledger]) -> Build:
    return partial(SimWorld, ledger=type)


def after(change: Callable[[SimWorld], SimWorld], build_sound: Callable[..., SimWorld] = SimWorld) -> Build:
    def build(*arguments: Any, **options: Any) -> SimWorld:
        return change(build_sound(*arguments, **options))

    return build


VANISHING = Trouble(nodes=NodeRates(count=3, vanishes_every_s=20, reboots=0.2))
STALE = Trouble(FaultRates(loses_replies=0.1, stales=0.4))
CRASHING = Trouble(store=StoreRates(dies=0.01, cuts=0.5))
FAILING = Trouble(store=StoreRates(fails=0.02))
LATE = Trouble(FaultRates(delays=0.3, repeats=0.3, delay_s=120.0))
REORDERS = Trouble(FaultRates(delays=0.2, repeats=0.3, reorders=0.1))
CROWDED = Trouble(room=Room(1, 1 << 30))
FORGOTTEN = "forgotten before absence is proved"
UNOPENED = "an intent without a meter"
UNMETERED = "a task running without a meter"
TWICE = "two attempts of one job alive at once"
BACKWARDS = "a state moving backwards"
MUTATIONS = {
    "silence is taken for absence": Mutation({FORGOTTEN}, loop(broken.ForgetsOnSilence)),
    "the intent is stored after the effect": Mutation({UNMETERED, UNOPENED}, loop(broken.StoresIntentAfterEffect)),
    "a release is not repeated": Mutation(
        {"every deletion completes", "every stack settles"}, loop(broken.ReleasesOnce)
    ),
    "a meter opens after the effect": Mutation({UNMETERED, UNOPENED}, loop(broken.OpensMetersAfterEffect)),
    "silence is taken for consent": Mutation(
        {UNMETERED, TWICE, FORGOTTEN}, after(broken.out_of_order, loop(broken.TakesSilenceForConsent)), trouble=REORDERS
    ),
    "a release is taken for absence": Mutation({FORGOTTEN}, loop(broken.TakesReleaseForAbsence)),
    "a spent budget stops nothing": Mutation(
        {"an attempt begun while held", "a stack that may not spend runs nothing"}, loop(broken.IgnoresHolds), first=73
    ),
    "conclusions are not stored": Mutation({BACKWARDS}, loop(broken.ForgetsWhatItConcluded)),
    "a meter closes at the release": Mutation(
        {UNMETERED, LEDGER, UNOPENED}, loop(broken.ClosesMetersAtRelease)
    ),
    "a meter is never closed": Mutation({"money on what nobody owns"}, loop(broken.KeepsMetersOpen)),
    "a run is billed until it was looked at": Mutation({LEDGER}, loop(broken.BillsUntilItLooked)),
    "orphans are not swept": Mutation(
        {"nothing is left at the engine"}, after(broken.late_services, broken.NeverSweeps), trouble=LATE
    ),
    "an engine ignores generations": Mutation(
        {"an older generation over a newer"}, after(broken.ignoring_generations), first=9, trouble=REORDERS
    ),
    "an engine takes a start after its release": Mutation({UNMETERED, TWICE}, after(broken.out_of_order), first=52),
    "a silent node's tasks are said to be absent": Mutation(
        {FORGOTTEN, TWICE}, after(broken.giving_up_nodes), trouble=VANISHING
    ),
    "an old answer is believed": Mutation({FORGOTTEN, TWICE, LEDGER}, loop(broken.BelievesOldAnswers), trouble=STALE),
    "intent and meter are stored apart": Mutation(
        {UNOPENED}, loop(broken.OpensMetersInAnotherTransaction), trouble=CRASHING
    ),
    "commits are not synced": Mutation(
        {UNMETERED, BACKWARDS, FORGOTTEN}, partial(SimWorld, database=broken.UnsyncedDatabase), trouble=CRASHING
    ),
    "a failed write is shrugged off": Mutation(
        {MEMORY, UNOPENED, LEDGER}, loop(broken.ShrugsOffFailedWrites), trouble=FAILING
    ),
    "a share of a node is all of it": Mutation({SHARES}, ledger(broken.SharesTheWholeNode)),
    "a share of a node is half of what it is": Mutation({SHARES}, ledger(broken.SharesTooLittle), first=4),
    "a share of a node costs more than the node": Mutation({SHARES}, ledger(broken.SharesDearly)),
    "what never came up is billed from its intent": Mutation({LEDGER}, ledger(broken.BillsFromTheIntent), first=2),
    "an ended task keeps its room": Mutation(
        {"every stack settles"}, partial(SimWorld, scheduler=broken.KeepsRoomOfTheEnded), first=2, trouble=CROWDED
    ),
    "a job made anew counts from one": Mutation(
        {"an attempt's id used twice"}, kinds=broken.forgetting_numbers(), first=5
    ),
    "an attempt's number is used again": Mutation(
        {BACKWARDS}, kinds=broken.with_job(KINDS, broken.reusing_attempts)
    ),
    "the next attempt does not wait": Mutation(
        {TWICE, "every stack settles", "every deletion completes"}, kinds=broken.with_job(KINDS, broken.hasty), first=2
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_kernel_is_caught(name: str, folder: Path) -> None:
    """Each promise is guarded by a check that would notice if it were given up."""
    mutation = MUTATIONS[name]

    caught = first_caught(mutation, folder)

    assert caught is not None, f"{SEEDS_MAX} worlds did not notice that {name}"
    assert caught.name in mutation.caught_by, caught
    assert f"--seed {caught.seed}" in str(caught)


SPENT = """\
stack: many
budgets: {all: {limit: 0.002 USD, ahead: 0s, then: stop}}
services: {web: {run: serve, grace: 1s, replicas: 2, resources: {cpu: 1}}}
"""


def a_minute_after_it_was_spent(build: Build, seed: int, folder: Path) -> SimWorld:
    folder.mkdir()
    world = build(KINDS, folder, seed, Trouble(FaultRates(loses_replies=0.1)), lambda _want: Script(work_s=1e9))
    world.up(SPENT)
    budget = Ref("many", "budget", "all")
    assert world.run(300, until=lambda: bool(world.loop.world.objects[budget].status.holds)), "it is spent"
    world.stop_faults()
    world.run(60)
    return world


@pytest.mark.parametrize("seed", range(3))
def test_a_budget_that_stops_nothing_is_caught_in_any_world(seed: int, folder: Path) -> None:
    """Not by one seed's luck: a minute after the limit is reached what is right has stopped."""
    a_minute_after_it_was_spent(SimWorld, seed, folder / "right").check_settled(5)
    with pytest.raises(Broken, match="a stack that may not spend runs nothing"):
        a_minute_after_it_was_spent(loop(broken.IgnoresHolds), seed, folder / "broken").check_settled(5)


def test_every_check_has_a_name_that_mutations_use() -> None:
    """A misspelt name would catch nothing."""
    names = {name for mutation in MUTATIONS.values() for name in mutation.caught_by}
    assert names <= {*NEVER, *EVENTUALLY, LEDGER, PLAN, MEMORY, SHARES}


def first_caught(mutation: Mutation, folder: Path) -> Broken | None:
    for seed in range(mutation.first, mutation.first + SEEDS_MAX):
        try:
            play(seed, mutation.kinds, folder, mutation.build, mutation.trouble)
        except Broken as caught:
            return caught
    return None
