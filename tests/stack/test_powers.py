"""What a task asks of an engine that does not know it is refused, even what nobody thought of."""

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from weyr.compose.engines import ENGINES
from weyr.compose.kinds import KINDS
from weyr.core.capability import Accelerators, CheckpointBody, Gang, Sandbox, Staged, TaskBody
from weyr.core.engine import EngineKind
from weyr.core.powers import SAYS_NOTHING, WRITTEN, asked_of, unhonoured
from weyr.core.ref import Ref
from weyr.core.schema import Spec, SpecPart
from weyr.core.task_spec import TaskSpec
from weyr.kinds.compute.job.spec import JobSpec
from weyr.stack.engines import engine_findings
from weyr.stack.parse import parse_stack

PLAIN = TaskBody(("true",), "/")
SAID: dict[str, Any] = {
    "checkpoint": CheckpointBody("lake", "", 1.0),
    "gang": Gang("1", 2, 0),
    "sandbox": Sandbox(),
    "inputs": (Staged("data", "lake"),),
    "outputs": (Staged("data", "lake"),),
    "secret_env": {"KEY": Ref("s", "secret", "key")},
    "secret_files": {"KEY": Ref("s", "secret", "key")},
    "env": {"A": "b"},
    "labels": (("zone", "a"),),
    "ports": (8080,),
}
"""A value for each field of which no other example can be made up."""
DEVICES = {f"accelerators.{part.name}": part for part in fields(Accelerators)}
POWERS = {each.name for each in fields(TaskBody)} - SAYS_NOTHING - {"accelerators"} | {*DEVICES}
DECIDED_BY_KINDS = {
    "array", "done_when", "max_cost", "needs", "protect", "rerun", "retries", "schedule", "suspend",
    "tags",
}  # fmt: skip
"""Fields of jobs that say when and how often there is a task, and nothing about the task."""


def body_that_asks(power: str) -> TaskBody:
    """A task that asks for this and nothing else that it need not."""
    if power in DEVICES:
        part = DEVICES[power]
        said: dict[str, Any] = {part.name: "x" if part.default == "" else 1}
        return replace(PLAIN, accelerators=Accelerators(**said))
    each = next(each for each in fields(TaskBody) if each.name == power)
    if each.default is MISSING and each.default_factory is MISSING:
        return PLAIN
    plain: dict[type, Any] = {bool: True, int: 7, float: 7.5, str: "x", tuple: ("x",), type(None): 7}
    return replace(PLAIN, **{power: SAID[power] if power in SAID else plain[type(each.default)]})


@pytest.mark.parametrize("power", sorted(POWERS))
def test_each_field_of_a_task_asks_for_a_power(power: str) -> None:
    """A field added tomorrow is asked for under its name, without anybody having to think of it."""
    assert asked_of(body_that_asks(power)) >= {power}
    assert unhonoured(body_that_asks(power), POWERS) == ""
    assert power in unhonoured(body_that_asks(power), POWERS - {power})


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_an_engine_declares_nothing_that_no_task_can_ask_for(engine: EngineKind) -> None:
    """A field that was renamed must not stay declared under its old name, and be refused under its new one."""
    assert engine.powers <= POWERS
    assert {*engine.lacks} <= POWERS - engine.powers, "a reason is given for what is lacking"


def test_what_can_be_written_of_a_job_is_known_to_ask_for_something() -> None:
    """A field of a spec that reaches no body is decided by the kind; all others are held against the engine."""
    assert {*WRITTEN.values()} <= POWERS
    assert {*_paths(JobSpec)} == {*WRITTEN} | DECIDED_BY_KINDS


TEXTS = {
    "image": "image: python:3.12",
    "python": "python: {version: '3.12', requirements: [numpy]}",
    "labels": "labels: {zone: a}",
    "bears": "tolerates: [gpu]",
    "accelerators.share_milli": "resources: {accelerators: 0.5}",
    "accelerators.memory_bytes": "resources: {accelerators: {memory: 8GiB}}",
    "accelerators.profile": "resources: {accelerators: {profile: 1g.10gb}}",
}


@pytest.mark.parametrize("engine", [each for each in ENGINES.values() if each.name != "local"], ids=lambda e: e.name)
def test_the_plan_refuses_what_the_engine_does_not_declare(engine: EngineKind) -> None:
    """It is said with its line before anything is started, and not by a task that fails at night."""
    for power in sorted({*WRITTEN.values()} - engine.powers):
        text = f"stack: s\non: {engine.name}\njobs:\n  t:\n    run: w\n    {TEXTS[power]}\n"
        found = engine_findings(parse_stack(text, "weyr.yaml", KINDS, engines=ENGINES), KINDS, ENGINES)
        assert [each.place and each.place.line for each in found] == [6], (power, found)
        assert engine.lacks[power] in found[0].detail


def _paths(spec: type[Spec] | type[SpecPart], before: str = "") -> list[str]:
    """The fields of a spec that task bodies are made of, as paths; those of shared groups one by one."""
    found = []
    for name, each in spec.model_fields.items():
        if name in ("resources", "python") and issubclass(spec, TaskSpec):
            assert isinstance(each.annotation, type)
            found += _paths(each.annotation, f"{name}.")
        elif before and name == "accelerators":
            found += [f"{before}{path}" for path in DEVICES]
        else:
            found.append(f"{before}{name}")
    return found
