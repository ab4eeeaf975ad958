"""An array runs a program many times: each index by itself, so many at once, and all of them counted."""

from typing import Any

import pytest

from weyr.core.capability import TaskBody
from weyr.core.decision import Decision, Ensure, Phase, Thing
from weyr.core.parts import Part
from weyr.core.schema import ValidationError
from weyr.core.seen import EndReason
from weyr.kinds.compute.job.array import combination
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.parts import numbers, ranges
from weyr.kinds.compute.job.spec import ArrayPart, JobSpec
from weyr.kinds.compute.job.test_job import ended, job, look, phase, remembered, started, task


def play(spec: JobSpec, ends: dict[int, EndReason], memory: JobMemory | None = None, generation: int = 1) -> "Play":
    """Runs an array to its end: each attempt ends at once as `ends` says of its index, by default well."""
    return Play(spec, ends, memory, generation).run()


class Play:
    def __init__(self, spec: JobSpec, ends: dict[int, EndReason], memory: JobMemory | None, generation: int) -> None:
        self.spec, self.ends, self.memory, self.generation = spec, ends, memory, generation
        self.begun: list[str] = []
        self.at_once = 0
        self.decision: Decision[JobMemory]

    def run(self) -> "Play":
        things: dict[str, Thing] = {}
        for _ in range(200):
            self.decision = look(self.spec, *things.values(), memory=self.memory, generation=self.generation)
            self.memory = remembered(self.decision)
            fresh = started(self.decision)
            self.begun += fresh
            gone = {action.part for action in self.decision.actions if not isinstance(action, Ensure)}
            things = {part: thing for part, thing in things.items() if part not in gone}
            things |= {part: self._ended(part) for part in fresh}
            self.at_once = max(self.at_once, len(things))
            if not things and not fresh and not self.decision.actions:
                return self
        raise AssertionError("it does not end")

    def _ended(self, part: str) -> Thing:
        named = Part.parse(part)
        assert named is not None
        assert named.index is not None
        return ended(self.ends.get(named.index, EndReason.SUCCEEDED), part, exit_code=1)


def test_each_index_runs_once_and_only_so_many_at_once() -> None:
    """Ten thousand files are worked through on four nodes, whatever the queue holds beside them."""
    played = play(job(array={"count": 10, "max_parallel": 3}), {})

    assert played.begun == [f"{index}:1" for index in range(10)]
    assert played.at_once == 3
    assert phase(played.decision) is Phase.DONE
    assert played.decision.outputs["succeeded"] == "0-9"
    assert remembered(played.decision).series == {}


FAILURES: dict[str, tuple[dict[str, Any], set[int], int, Phase]] = {
    # what is written, which indices fail, how many are begun, how the job ends
    "one fails and the rest goes on": ({"count": 5}, {1}, 5, Phase.FAILED),
    "as many fail as may": ({"count": 5, "may_fail": 2}, {1, 3}, 5, Phase.DONE),
    "more fail than may": ({"count": 9, "may_fail": 1, "max_parallel": 1}, {0, 1}, 2, Phase.FAILED),
}


@pytest.mark.parametrize("case", FAILURES)
def test_some_may_fail(case: str) -> None:
    """One broken file among thousands need not cost the others; a broken program need not run thousands of times."""
    array, failing, begun, word = FAILURES[case]

    played = play(job(array=array), dict.fromkeys(failing, EndReason.FAILED))

    assert len(played.begun) == begun
    assert phase(played.decision) is word


def test_only_what_failed_runs_again() -> None:
    """`weyr up` after a repair does not pay again for what was done."""
    spec = job(array=4)
    first = play(spec, {2: EndReason.FAILED})
    again = play(spec, {}, first.memory, generation=2)

    assert again.begun == ["2:2"]
    assert phase(again.decision) is Phase.DONE


GROWTH: dict[str, tuple[dict[str, Any], list[str]]] = {
    "more of them": ({"array": 6}, ["4:1", "5:1"]),
    "fewer": ({"array": 2}, []),
    "more at once": ({"array": {"count": 4, "max_parallel": 2}}, []),
    "another program": ({"array": 4, "run": "other"}, ["0:2", "1:2", "2:2", "3:2"]),
    "more memory": ({"array": 4, "resources": {"memory": "2GiB"}}, []),
}


@pytest.mark.parametrize("case", GROWTH)
def test_what_a_change_runs_again(case: str) -> None:
    """An array that grows by two costs two."""
    fields, begun = GROWTH[case]
    done = play(job(array=4), {})

    played = play(job(**fields), {}, done.memory, generation=2)

    assert played.begun == begun
    assert phase(played.decision) is Phase.DONE


def test_an_interrupted_index_goes_on_and_the_others_are_left_alone() -> None:
    """Each index has attempts of its own."""
    spec = job(array=2)
    memory = remembered(look(spec))

    decision = look(spec, ended(EndReason.RECLAIMED, "0:1"), task(part="1:1"), memory=memory)

    assert [action.part for action in decision.actions] == ["0:1"]
    assert "0 of 2 done, 1 under way" in decision.conditions[0].message
    assert decision.notes[0].message.startswith("index 0, attempt 1 was cut short")


def test_a_task_finds_its_index_and_its_values() -> None:
    """Scripts for Slurm's arrays run as they are; a sweep needs no parsing of numbers."""
    decision = look(job(array={"matrix": {"lr": [0.1, 0.01], "depth": [2, 3, 4]}}))
    bodies = [action.body for action in decision.actions if isinstance(action, Ensure)]
    last = bodies[-1]
    assert isinstance(last, TaskBody)
    wanted = {
        "WEYR_ARRAY_INDEX": "5", "SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "6",
        "WEYR_MATRIX_LR": "0.01", "WEYR_MATRIX_DEPTH": "4",
    }  # fmt: skip
    assert wanted.items() <= last.env.items()


def test_an_index_means_the_same_however_the_file_is_sorted() -> None:
    """Otherwise a sorted file would take the results of one combination for those of another."""
    one = ArrayPart(matrix={"a": (1, 2), "b": (3, 4)})
    other = ArrayPart(matrix={"b": (3, 4), "a": (1, 2)})

    assert [combination(one, i) for i in range(4)] == [combination(other, i) for i in range(4)]


@pytest.mark.parametrize("array", [0, {}, {"count": 2, "matrix": {"a": [1]}}, {"matrix": {"a": []}}, True, 10_001])
def test_an_array_that_says_nothing_or_too_much_is_refused(array: object) -> None:
    """Also more than anybody can have meant."""
    with pytest.raises(ValidationError):
        job(array=array)


@pytest.mark.parametrize("found", [set(), {3}, {0, 1, 2}, {0, 2, 3, 9}])
def test_what_is_done_is_remembered_in_few_letters(found: set[int]) -> None:
    """The memory is written at every change: it must not grow with what is over."""
    assert numbers(ranges(found)) == found
