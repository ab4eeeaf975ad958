"""A scheduled job runs once at each of its times: not twice after a restart, and not beside itself."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from weyr.core.capability import TaskBody
from weyr.core.decision import Decision, Ensure, Need, Phase, Thing
from weyr.core.schema import ValidationError
from weyr.core.seen import EndReason
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.spec import JobSpec
from weyr.kinds.compute.job.test_job import LAKE, ended, job, look, phase, released, remembered, started, task

ZURICH = ZoneInfo("Europe/Zurich")


def at(day: str, time: str = "00:00") -> float:
    return datetime.fromisoformat(f"2026-{day}T{time}").replace(tzinfo=ZURICH).timestamp()


def nightly(**fields: Any) -> JobSpec:
    schedule = {"cron": "0 3 * * *", "time_zone": "Europe/Zurich", **fields}
    return job(schedule=schedule)


def looked(spec: JobSpec, now: float, memory: JobMemory | None, *things: Thing) -> Decision[JobMemory]:
    return look(spec, *things, memory=memory, now=now)


def asleep(spec: JobSpec) -> JobMemory:
    """The memory of a job that was written on 5 May and has not run yet."""
    return remembered(looked(spec, at("05-05", "12:00"), None))


def run_through(spec: JobSpec, memory: JobMemory, now: float) -> tuple[JobMemory, list[str]]:
    """One run to its end, if one begins now."""
    begun = looked(spec, now, memory)
    names = started(begun)
    if names:
        weighed = looked(spec, now + 1, remembered(begun), ended(EndReason.SUCCEEDED, names[0]))
        begun = looked(spec, now + 2, remembered(weighed))
    return remembered(begun), names


def test_it_waits_for_its_time_and_says_when_that_is() -> None:
    """`weyr up` is done with it at once; nothing runs because it was written down."""
    decision = looked(nightly(), at("05-05", "12:00"), None)

    assert (started(decision), phase(decision)) == ([], Phase.READY)
    assert decision.conditions[0].message == "next run 2026-05-06 03:00 Europe/Zurich"
    assert decision.again_s == 15 * 3600


def test_it_runs_once_at_each_time_whoever_restarts() -> None:
    """What was seen to come is remembered with the intention: the same look after a restart begins nothing."""
    spec = nightly()
    memory, first = run_through(spec, asleep(spec), at("05-06", "03:00"))
    _, again = run_through(spec, memory, at("05-06", "03:05"))
    _, set_back = run_through(spec, memory, at("05-06", "02:59"))
    _, second = run_through(spec, memory, at("05-07", "03:00"))

    assert (first, again, set_back, second) == (["1"], [], [], ["2"])


def test_after_a_run_it_says_how_that_went_and_what_comes() -> None:
    """A failed night is seen in the morning."""
    spec = nightly()
    begun = looked(spec, at("05-06", "03:00"), asleep(spec))
    failed = looked(spec, at("05-06", "03:10"), remembered(begun), ended(EndReason.FAILED, "1", exit_code=3))
    morning = looked(spec, at("05-06", "08:00"), remembered(failed))

    assert phase(morning) is Phase.FAILED
    assert "exit code 3; next run 2026-05-07 03:00" in morning.conditions[0].message


CHANGES_OF_CLOCKS = {
    "the hour that is skipped": ("30 2 * * *", ["03-28", "03-29", "03-30"]),
    "the hour that comes twice": ("30 2 * * *", ["10-24", "10-25", "10-26"]),
}


@pytest.mark.parametrize("case", CHANGES_OF_CLOCKS)
def test_a_change_of_clocks_neither_drops_nor_doubles_a_run(case: str) -> None:
    """Looked at every ten minutes through both nights of the year: one run a day."""
    cron, days = CHANGES_OF_CLOCKS[case]
    spec = nightly(cron=cron)
    now, memory, begun = at(days[0]), None, []
    while now < at(days[-1]) + 86_400:
        memory, names = run_through(spec, memory or remembered(looked(spec, now, None)), now)
        begun += [f"{datetime.fromtimestamp(now, ZURICH):%m-%d}" for _ in names]
        now += 600

    assert begun == days


OVERLAPS = {"skip": ([], []), "queue": ([], ["2"]), "replace": (["1"], ["2"])}


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_run_that_takes_too_long_is_dealt_with_as_written(overlap: str) -> None:
    """Never two of them beside each other."""
    stops, follows = OVERLAPS[overlap]
    spec = nightly(overlap=overlap)
    begun = looked(spec, at("05-06", "03:00"), asleep(spec))

    next_night = looked(spec, at("05-07", "03:00"), remembered(begun), task(part="1"))
    over = ended(EndReason.STOPPED if overlap == "replace" else EndReason.SUCCEEDED, "1")
    memory = remembered(looked(spec, at("05-07", "03:20"), remembered(next_night), over))
    after = looked(spec, at("05-07", "03:21"), memory)

    assert (started(next_night), released(next_night)) == ([], stops)
    assert started(after) == follows


def test_what_was_missed_is_caught_up_once_and_only_if_it_is_not_too_late() -> None:
    """After a weekend without power there is one run, and a nightly job does not run at noon."""
    soon = looked(nightly(), at("05-09", "03:05"), asleep(nightly()))
    late = looked(nightly(), at("05-09", "12:00"), asleep(nightly()))

    assert (started(soon), started(late)) == (["1"], [])
    assert [note.event for note in late.notes] == ["schedule.missed"]


def test_each_run_has_checkpoints_of_its_own() -> None:
    """Tuesday's run must not begin from Monday's end."""
    spec = job(schedule={"cron": "@daily", "catch_up": "1d"}, checkpoint={"bucket": "lake"})
    memory, prefixes = asleep(spec), set()
    for day in ("05-06", "05-07"):
        begun = look(spec, memory=memory, now=at(day, "12:00"), needs={LAKE: Need(Phase.READY, {"name": "lake"})})
        (action,) = [each for each in begun.actions if isinstance(each, Ensure)]
        assert isinstance(action.body, TaskBody)
        assert action.body.checkpoint is not None
        prefixes.add(action.body.checkpoint.prefix)
        memory = remembered(looked(spec, at(day, "13:00"), remembered(begun), ended(EndReason.SUCCEEDED, action.part)))
    assert len(prefixes) == 2


@pytest.mark.parametrize(
    "fields", [{"cron": "61 * * * *"}, {"cron": "0 3 * *"}, {"time_zone": "Europe/Zuerich"}, {"overlap": "both"}]
)
def test_a_schedule_that_cannot_be_read_is_refused(fields: dict[str, Any]) -> None:
    """In the file, not at three in the morning."""
    with pytest.raises(ValidationError):
        nightly(**fields)
