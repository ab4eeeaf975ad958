"""What one of something costs adds up to what was spent, and of nothing there is no price."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.core.ref import ThingId
from weyr.ledger.units import Made, Run, Served, Unit, made, micros_of_runs, unit_of, weight_of

TASK, OTHER = ThingId.parse("digits:job/train#1"), ThingId.parse("digits:job/train#2")


def run(id: str, from_s: int, to_s: int | None, task: ThingId = TASK, **more: object) -> Run:
    ended_ms = None if to_s is None else 1000 * to_s
    return Run(id, id, "digits", "FINISHED", task, 1000 * from_s, ended_ms, **more)  # type: ignore[arg-type]


def test_a_thousand_answers_and_a_million_tokens() -> None:
    """Eighty cents for ten thousand answers are eight for a thousand; a token that is written counts as four."""
    served = Served("digits:endpoint/chat", 800_000, 10_000, 2_000_000, 500_000)
    assert served.per_thousand_requests == 80_000
    read, written = served.per_million_tokens(4)
    assert (read, written) == (200_000, 800_000)
    assert 2 * (read or 0) + (written or 0) // 2 == served.micros


def test_of_nothing_there_is_no_price() -> None:
    """A zero would look like a gift."""
    assert Served("digits:endpoint/chat", 800_000).per_thousand_requests is None
    assert Served("digits:endpoint/chat", 800_000, 5).per_million_tokens(4) == (None, None)
    assert Served("digits:endpoint/embed", 800_000, 5, 1_000_000).per_million_tokens(4) == (800_000, None)


@pytest.mark.parametrize(
    ("runs", "micros"),
    [
        ([run("a", 0, 10)], {"a": 100}),
        ([run("a", 0, 30), run("b", 30, 40)], {"a": 75, "b": 25}),
        ([run("a", 0, 10), run("b", 0, 10), run("c", 0, 10)], {"a": 34, "b": 33, "c": 33}),
        ([run("sweep", 0, 40), run("one", 0, 10, parent="sweep"), run("two", 10, 40, parent="sweep")],
         {"sweep": 0, "one": 25, "two": 75}),
        ([run("a", 5, 5), run("b", 5, 5)], {"a": 50, "b": 50}),
        ([run("a", 0, 10), run("open", 10, None)], {"a": 25, "open": 75}),
    ],
)  # fmt: skip
def test_a_task_is_shared_out_whole_among_its_runs(runs: list[Run], micros: dict[str, int]) -> None:
    """By how long each was open; one with others in it has what they leave over."""
    assert micros_of_runs(runs, {TASK: 100}, 40_000) == micros


def test_versions_cost_what_their_runs_do() -> None:
    """What learned from a version of data, by version; a run that read two is what each of them cost."""
    runs = [
        run("a", 0, 10, datasets=("pixels@1", "labels@1"), models=("digits@3",)),
        run("b", 0, 10, OTHER, datasets=("pixels@1",)),
    ]
    micros = micros_of_runs(runs, {TASK: 100, OTHER: 51}, 0)
    assert made(runs, micros, Unit.DATASET) == (Made("pixels@1", 151, 2), Made("labels@1", 100, 1))
    assert made(runs, micros, Unit.MODEL) == (Made("digits@3", 100, 1),)
    (experiment,) = made(runs, micros, Unit.EXPERIMENT)
    assert (experiment.micros, experiment.per_run) == (151, 75)


def test_a_word_or_a_weight_that_is_none_is_refused() -> None:
    """With the nearest word."""
    with pytest.raises(UserError, match="endpoint"):
        unit_of("endpoints")
    for text in ("0", "101", "x", ""):
        with pytest.raises(UserError, match="token"):
            weight_of(text)
