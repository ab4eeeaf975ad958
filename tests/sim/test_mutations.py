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
from weyr.reconcile.loop import Loop
from weyr.sim.checks import EVENTUALLY, LEDGER, NEVER
from weyr.sim.play import Rates, play
from weyr.sim.world import Broken, SimWorld

SEEDS_MAX = 40


@dataclass(frozen=True)
class Mutation:
    """A broken kernel, the checks of which one must catch it, and the seed to begin with."""

    caught_by: set[str]
    build: Callable[..., SimWorld] = SimWorld
    kinds: Kinds = field(default_factory=lambda: KINDS)
    first: int = 0
    rates: Rates | None = None


def loop(type: type[Loop]) -> Callable[..., SimWorld]:
    return partial(SimWorld, loop=type)


def after(change: Callable[[SimWorld], SimWorld], kernel: type[Loop] = Loop) -> Callable[..., SimWorld]:
    build_sound = loop(kernel)

    def build(*arguments: Any, **options: Any) -> SimWorld:
        return change(build_sound(*arguments, **options))

    return build


REORDERS = Rates(delays=0.2, repeats=0.3)
FORGOTTEN = "forgotten before absence is proved"
UNMETERED = "a task running without a meter"
TWICE = "two attempts of one job alive at once"
BACKWARDS = "a state moving backwards"
MUTATIONS = {
    "silence is taken for absence": Mutation({FORGOTTEN}, loop(broken.ForgetsOnSilence)),
    "the intent is stored after the effect": Mutation({UNMETERED}, loop(broken.StoresIntentAfterEffect)),
    "a release is not repeated": Mutation(
        {"every deletion completes", "every stack settles"}, loop(broken.ReleasesOnce)
    ),
    "a meter opens after the effect": Mutation({UNMETERED}, loop(broken.OpensMetersAfterEffect)),
    "silence is taken for consent": Mutation(
        {UNMETERED, TWICE}, after(broken.out_of_order, broken.TakesSilenceForConsent)
    ),
    "a release is taken for absence": Mutation({FORGOTTEN}, loop(broken.TakesReleaseForAbsence)),
    "a spent budget stops nothing": Mutation(
        {"an attempt begun while held", "a stack that may not spend runs nothing"}, loop(broken.IgnoresHolds), first=20
    ),
    "conclusions are not stored": Mutation({BACKWARDS}, loop(broken.ForgetsWhatItConcluded)),
    "a meter closes at the release": Mutation({UNMETERED, LEDGER}, loop(broken.ClosesMetersAtRelease)),
    "a meter is never closed": Mutation({"money on what nobody owns"}, loop(broken.KeepsMetersOpen)),
    "a run is billed until it was looked at": Mutation({LEDGER}, loop(broken.BillsUntilItLooked)),
    "orphans are not swept": Mutation({"nothing is left at the engine"}, broken.NeverSweeps, first=50),
    "an engine ignores generations": Mutation(
        {"an older generation over a newer"}, after(broken.ignoring_generations), rates=REORDERS
    ),
    "an engine takes a start after its release": Mutation({UNMETERED, TWICE}, after(broken.out_of_order), first=165),
    "an attempt's number is used again": Mutation(
        {BACKWARDS}, kinds=broken.with_job(KINDS, broken.reusing_attempts)
    ),
    "the next attempt does not wait": Mutation(
        {TWICE}, kinds=broken.with_job(KINDS, broken.hasty)
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


def test_every_check_has_a_name_that_mutations_use() -> None:
    """A misspelt name would catch nothing."""
    names = {name for mutation in MUTATIONS.values() for name in mutation.caught_by}
    assert names <= {*NEVER, *EVENTUALLY, LEDGER}


def first_caught(mutation: Mutation, folder: Path) -> Broken | None:
    for seed in range(mutation.first, mutation.first + SEEDS_MAX):
        try:
            play(seed, mutation.kinds, folder, mutation.build, mutation.rates)
        except Broken as caught:
            return caught
    return None
