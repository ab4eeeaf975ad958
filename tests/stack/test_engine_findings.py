"""What an engine cannot do is refused in the plan, never ignored."""

from pathlib import Path

import pytest

from weyr.attempt import image
from weyr.compose.engines import ENGINES, image_findings, python_findings
from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import Severity
from weyr.ledger.prices import Catalogue
from weyr.stack.engines import engine_findings
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World

TEXT = "stack: s\non: {on}\njobs:\n  train:\n    run: python train.py\n    image: python:3.12\n"
BOOK = Catalogue.shipped().book("aws/fargate")


def test_a_setting_that_the_engine_cannot_honour_is_refused_with_its_line() -> None:
    """A job must not run outside of its image because Ray starts no containers."""
    stack = parse_stack(TEXT.format(on="ray"), "weyr.yaml", KINDS, engines=ENGINES)
    (found,) = engine_findings(stack, KINDS, ENGINES)
    assert (found.severity, found.ref) == (Severity.FATAL, "job/train")
    assert found.place is not None
    assert found.place.line == 6
    plan = make_plan(stack, World("s"), KINDS, BOOK, extra=[found])
    assert found in plan.fatal


def test_the_same_setting_on_this_machine_is_no_matter_of_the_engine() -> None:
    """What a machine lacks is said by the machine."""
    stack = parse_stack(TEXT.format(on="local"), "weyr.yaml", KINDS, engines=ENGINES)
    assert engine_findings(stack, KINDS, ENGINES) == []


@pytest.mark.parametrize(("trouble", "titles"), [("podman is not installed", ["No container engine"]), ("", [])])
def test_an_image_needs_a_container_engine_here(trouble: str, titles: list[str]) -> None:
    """It is said before anything is started, with what to install."""
    stack = parse_stack(TEXT.format(on="local"), "weyr.yaml", KINDS, engines=ENGINES)
    found = image_findings(stack, lambda: image.Engine(trouble=trouble))
    assert [each.summary for each in found] == titles
    for each in found:
        assert (each.severity, each.place and each.place.line) == (Severity.FATAL, 6)
        assert trouble in each.detail
        assert "podman" in each.suggestion


def test_a_python_that_the_machine_lacks_is_told_in_the_plan() -> None:
    """With the ones that it has, and the line that asks."""
    text = f"{TEXT.format(on='local')}    python: {{version: '3.99'}}\n".replace("image: ", "# ")
    (found,) = python_findings(parse_stack(text, "weyr.yaml", KINDS, engines=ENGINES))
    assert (found.severity, found.place and found.place.line) == (Severity.FATAL, text.count("\n"))
    assert "asks for Python 3.99, and this machine has 3." in found.detail


@pytest.mark.parametrize("field", ["sandbox: true", "python: {requirements: [numpy]}"])
def test_a_container_is_no_sandbox_with_packages(field: str) -> None:
    """Two environments for one program is a mistake that the plan finds."""
    stack = parse_stack(f"{TEXT.format(on='local')}    {field}\n", "weyr.yaml", KINDS, engines=ENGINES)
    assert any("An image and" in found.summary for found in make_plan(stack, World("s"), KINDS, BOOK).fatal)


def test_a_change_of_the_engine_alone_is_a_change() -> None:
    """Somebody who only moved the stack must not be told that there is nothing to do."""
    text = "stack: s\non: {on}\n"
    moved = parse_stack(text.format(on="ray"), "weyr.yaml", KINDS, engines=ENGINES)
    there = World("s", parent="abc")
    plan = make_plan(moved, there, KINDS, BOOK)
    assert plan.has_changes
    assert plan.was_on == there.on


def test_a_part_of_a_device_is_refused_where_only_whole_ones_are_given() -> None:
    """It is written as one text, and is a share all the same."""
    stack = parse_stack(
        'stack: s\non: slurm\njobs:\n  t: {run: w, resources: {accelerators: "H100:0.5"}}\n  u: {run: w, '
        'resources: {accelerators: "H100:2"}}\n',
        "weyr.yaml",
        KINDS,
        engines=ENGINES,
    )
    (found,) = engine_findings(stack, KINDS, ENGINES)
    assert found.ref == "job/t"
    assert "whole devices" in found.detail


SPOT = "stack: s\non: {on}\njobs:\n  t: {{run: w, spot: true}}\n  u: {{run: w}}\n"


def test_spot_is_refused_where_no_partition_is_set_for_it() -> None:
    """A plan that may be preempted and has nowhere to be so would fail only when its job begins."""
    stack = parse_stack(SPOT.format(on="slurm"), "weyr.yaml", KINDS, engines=ENGINES)
    (found,) = engine_findings(stack, KINDS, ENGINES)
    assert (found.severity, found.ref) == (Severity.FATAL, "job/t")
    assert "spot_partition" in found.detail
    assert found.place is not None
    assert found.place.line == 4
    said = parse_stack(SPOT.format(on="{slurm: {spot_partition: low}}"), "weyr.yaml", KINDS, engines=ENGINES)
    assert engine_findings(said, KINDS, ENGINES) == []


def test_the_guides_stack_can_be_planned() -> None:
    """What the guide shows is what one may write."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "from-laptop-to-ray.md"
    text = guide.read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    stack = parse_stack(text, "weyr.yaml", KINDS, engines=ENGINES)
    assert engine_findings(stack, KINDS, ENGINES) == []
    assert make_plan(stack, World("digits"), KINDS, BOOK).counts.create == 2


POOLS = """\
stack: s
on: {on}
pools:
  site:
    on: slurm
queues:
  q: {{quota: {{gpu: 1}}}}
jobs:
  train:
    run: "true"
    {job}
"""
REFUSED: dict[str, tuple[str, str, int]] = {
    "nodes of a cluster that the stack is not on": ("local", "cpu: 1", 5),
    "a queue that cannot count devices": ("slurm", "queue: q\n    resources: {accelerators: 1}", 11),
    "labels that no pool knows": ("slurm", "labels: {rack: r1}", 11),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nodes_are_known_in_a_pool_of_the_stacks_own_cluster(name: str) -> None:
    """What is counted and chosen by node would be ignored anywhere else."""
    on, job, line = REFUSED[name]
    job = "resources: {cpu: 1}" if job == "cpu: 1" else job
    found = engine_findings(
        parse_stack(POOLS.format(on=on, job=job), "weyr.yaml", KINDS, engines=ENGINES), KINDS, ENGINES
    )
    assert [(each.severity, each.place and each.place.line) for each in found] == [(Severity.FATAL, line)]


def test_a_pool_of_the_stacks_cluster_is_nothing_to_refuse() -> None:
    """With a pool, queues count and labels choose there as here."""
    job = "pool: site\n    queue: q\n    labels: {rack: r1}\n    resources: {accelerators: 1}"
    assert not engine_findings(
        parse_stack(POOLS.format(on="slurm", job=job), "weyr.yaml", KINDS, engines=ENGINES), KINDS, ENGINES
    )
