"""The production loop in a world that loses replies, crashes engines and kills the server."""

from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.capability import Wanted
from weyr.core.ref import Ref, ThingId
from weyr.sim.faults import FaultRates
from weyr.sim.play import play
from weyr.sim.replay import main
from weyr.sim.scripts import Script
from weyr.sim.store import SimDatabase
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

WORLDS = 500
"""Every value that a stack and its trouble can draw is in the first 50 worlds, and of the 8,401 pairs of values that a
thousand draw all but one are in these. `make soak` plays ten thousand."""
BROKE = (511, 570, 581, 668, 742, 822)
"""Later ones in which something was found once."""
CHUNK = 20
"""Worlds of one test: few enough that two workers end together, and that none takes as long as a hanging one may."""

DIGITS = """
stack: digits
budgets: {month: {limit: 200 USD, then: stop}}
buckets: {lake: {}}
secrets: {key: {generate: 16}}
jobs:
  train:
    run: python train.py
    spot: true
    resources: {cpu: 2, memory: 1GiB}
    checkpoint: {bucket: lake, every: 5s}
    secrets: {KEY: key}
    produces: model/digits
models: {digits: {promote_if: {accuracy: ">= 0.95"}}}
endpoints: {digits: {model: digits@production, scale: {min: 2, max: 3, slo: 1s}}}
"""


def trained(want: Wanted) -> Script:
    """Training works for half a minute and passes the gate; replicas work until they are stopped."""
    if want.id.ref.kind == "job":
        return Script(work_s=30.0, metrics={"accuracy": 0.97})
    return Script(work_s=1e9)


def stands(world: SimWorld) -> bool:
    words = {"job/train": "done", **dict.fromkeys(("bucket/lake", "model/digits", "endpoint/digits"), "ready")}
    phases = world.phases("digits")
    return all(phases.get(ref) == word for ref, word in words.items())


def tell(world: SimWorld, what: str) -> str:
    return "\n".join([what, *(f"{event.ref} {event.event} {event.message}" for event in world.story("digits"))])


def test_a_stack_comes_up_and_goes_without_a_trace(folder: Path) -> None:
    """The whole life of a stack, with nothing going wrong."""
    world = SimWorld(KINDS, folder, scripts=trained)

    world.up(DIGITS)
    assert world.run(120, until=lambda: stands(world)), tell(world, "it does not stand")
    world.run(30)
    world.down("digits")

    assert world.run(120, until=world.is_empty), tell(world, "something is left")


def test_what_stands_still_is_not_written_again(folder: Path) -> None:
    """A stack at rest, two ready replicas in it, costs its disk nothing but a minute's lines; a budget says more often
    what is spent."""
    world = SimWorld(KINDS, folder, scripts=trained)
    world.up(DIGITS.replace("budgets: {month: {limit: 200 USD, then: stop}}\n", ""))
    assert world.run(120, until=lambda: stands(world)), tell(world, "it does not stand")
    world.engine.routes.requests_per_s = 0
    world.run(120)
    assert isinstance(world.db, SimDatabase)
    before = world.db.commits

    world.run(60)

    assert world.db.commits - before <= 6, f"{world.db.commits - before} writes in a minute"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_the_stack_comes_up_once_faults_end(folder: Path, seed: int) -> None:
    """Lost replies, crashes, kills, a reclaimed node: nothing runs twice, and nothing is left."""
    world = SimWorld(KINDS, folder, seed, Trouble(FaultRates(loses_replies=0.15, crashes=0.01), dies=0.02), trained)

    world.up(DIGITS)
    world.run(20)
    for attempt in range(1, 4):
        world.engine.tasks.reclaim(ThingId(Ref("digits", "job", "train"), str(attempt)), 2.0)
    world.run(100)
    world.stop_faults()

    assert world.run(400, until=lambda: stands(world)), tell(world, f"seed {seed} does not settle")
    world.down("digits")
    assert world.run(400, until=world.is_empty), tell(world, f"seed {seed} leaves something behind")


@pytest.mark.parametrize("first", range(0, WORLDS, CHUNK))
def test_in_no_world_is_anything_lost_doubled_or_left(folder: Path, first: int) -> None:
    """Random stacks, faults and people: every check holds at every step. `make soak` plays many more."""
    for seed in range(first, first + CHUNK):
        play(seed, KINDS, folder)


@pytest.mark.parametrize("seed", BROKE)
def test_a_world_that_broke_once_holds(folder: Path, seed: int) -> None:
    """What a longer run found stays found."""
    play(seed, KINDS, folder)


def test_what_ran_before_anybody_looked_is_billed(folder: Path) -> None:
    """A task began late, ended and was released between two looks: its record was cleared before it was read."""
    play(22, KINDS, folder, trouble=Trouble(FaultRates(delays=0.2, repeats=0.3)))


@pytest.mark.parametrize("seed", [2169, 2536])
def test_what_only_the_scheduler_heard_of_is_billed_as_it_ran(folder: Path, seed: int) -> None:
    """It saw an end when nobody had asked. The server then died before the owner was told (2169), or the owner was
    told by an answer too old to be believed (2536), and the engine let go of the record."""
    play(seed, KINDS, folder)


def test_a_seed_tells_the_same_story_twice(folder: Path) -> None:
    """A failure that cannot be played again is not understood."""
    stories = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        stories.append(play(3, KINDS, folder / name).story())

    assert stories[0] == stories[1]


def test_one_command_tells_the_story_of_a_world(capsys: pytest.CaptureFixture[str]) -> None:
    """What a failed check prints can be typed as it is."""
    assert main(["--seed", "0"]) == 0
    assert "every check held" in capsys.readouterr().out


def test_the_bill_is_the_integral_of_what_ran(folder: Path) -> None:
    """Two attempts of a reclaimed job are both billed, each from its start to its end, to the micro-unit."""
    world = SimWorld(KINDS, folder, scripts=trained)
    world.up(DIGITS)
    world.run(15)
    world.engine.tasks.reclaim(ThingId(Ref("digits", "job", "train"), "1"), 2.0)
    world.run(120, until=lambda: stands(world))
    world.down("digits")
    world.run(120, until=world.is_empty)

    lines = [line for line in world.ledger.lines("digits") if line.thing.ref.kind == "job" and "cpu" in line.sku]

    assert {line.thing.part for line in lines} == {"1", "2"}
    worked_s = sum(line.to_ms - line.from_ms for line in lines) / 1000
    assert 30.0 <= worked_s <= 40.0
    assert sum(line.used for line in lines) == round(worked_s * 1000) * 2000
