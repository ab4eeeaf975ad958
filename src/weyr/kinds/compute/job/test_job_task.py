"""What a job's task is given, what it costs, and what no history of it may bring about."""

from collections.abc import Iterable
from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.assumptions import NO_PAST, Past
from weyr.core.capability import TaskBody
from weyr.core.checking import Proposal
from weyr.core.decision import Ensure, Need, Phase
from weyr.core.parts import Part
from weyr.core.ref import Ref
from weyr.core.schema import to_json
from weyr.core.seen import EndReason, TaskEnd, TaskFacts, TaskState
from weyr.kinds.compute.job import KIND
from weyr.kinds.compute.job.body import attempt_bodies
from weyr.kinds.compute.job.checks import checks
from weyr.kinds.compute.job.estimate import assumes, estimate
from weyr.kinds.compute.job.memory import JobMemory
from weyr.kinds.compute.job.test_job import DIGITS, LAKE, TRAIN, job, task
from weyr.kinds.compute.job.version import program_of

POND = Ref("digits", "bucket", "pond")
NEEDS = {
    LAKE: Need(Phase.READY, {"name": "digits-lake"}),
    POND: Need(Phase.READY, {"name": "digits-pond"}),
    DIGITS: Need(Phase.READY, {"name": "digits-digits"}),
}


def body(**fields: Any) -> TaskBody:
    (found,) = attempt_bodies(TRAIN, job(**fields), NEEDS, "/stack", Part(1), None, run="").values()
    return found


def test_a_task_may_do_what_its_spec_says_and_no_more() -> None:
    """A stolen token reads one bucket, not all of them."""
    prefix = f"checkpoints/train/{program_of(job())}"

    assert body().grants == ("tracking:read:*", "tracking:write:*")
    assert body(reads=["pond"]).grants[2:] == ("s3:read:digits-pond/*", "s3:list:digits-pond/*")
    assert body(writes=["pond"], reads=["pond"]).grants[2:] == (
        "s3:read:digits-pond/*", "s3:list:digits-pond/*", "s3:write:digits-pond/*",
    )  # fmt: skip
    checkpointed = body(checkpoint={"bucket": "lake"})
    assert checkpointed.checkpoint is not None
    assert checkpointed.checkpoint.prefix == prefix
    assert checkpointed.grants[2:] == tuple(
        f"s3:{verb}:digits-lake/checkpoints/train/*" for verb in ("read", "write", "list")
    )


def test_another_program_does_not_begin_from_old_checkpoints() -> None:
    """It would end at once, with the result of the program before; with more memory it goes on where it was."""
    variants: tuple[dict[str, Any], ...] = (
        {}, {"resources": {"memory": "2GiB"}}, {"run": "python other.py"}, {"rerun": 1},
    )  # fmt: skip
    found = [body(checkpoint={"bucket": "lake"}, **fields).checkpoint for fields in variants]
    prefixes = [checkpoint.prefix for checkpoint in found if checkpoint]

    assert prefixes[0] == prefixes[1]
    assert len(set(prefixes)) == 3


WORDS: dict[str, tuple[dict[str, Any], str, object]] = {
    "a line is for the shell": ({"run": "a | b"}, "argv", ("/bin/sh", "-c", "a | b")),
    "words are run as they are": ({"run": ["a", "|"]}, "argv", ("a", "|")),
    "it runs beside the stack file": ({}, "workdir", "/stack/."),
    "or in a folder there": ({"folder": "src"}, "workdir", "/stack/src"),
    "or where it is told": ({"folder": "/srv/code"}, "workdir", "/srv/code"),
    "its runs are its experiment's": ({}, "experiment", "digits/train"),
    "artifacts go where its checkpoints go": ({"checkpoint": {"bucket": "lake"}}, "artifact_bucket", "digits-lake"),
    "or where they are told to": ({"artifacts": "pond"}, "artifact_bucket", "digits-pond"),
    "or to the common bucket": ({}, "artifact_bucket", ""),
    "its versions are of one model": ({"produces": "digits"}, "model", "digits-digits"),
    "secrets come as variables": ({"secrets": {"A": "key"}}, "secret_env", {"A": Ref("digits", "secret", "key")}),
    "and as files": ({"secret_files": {"A": "key"}}, "secret_files", {"A": Ref("digits", "secret", "key")}),
}


def test_what_is_written_reaches_the_task() -> None:
    """Refuse, never ignore: each field of a spec is somewhere in the task."""
    for case, (fields, name, expected) in WORDS.items():
        assert getattr(body(**fields), name) == expected, case


def test_a_run_is_priced_by_what_is_known_of_its_length() -> None:
    """An expectation beats a limit, and a limit an assumption; the plan says which it was."""
    ran = Past(8 * 86_400, task_s=4 * 90.0, tasks=4)
    told = {
        "duration 1h assumed": (job(), NO_PAST, 1.0),
        "duration 2h (0s..2h) at most": (job(time_limit="2h"), NO_PAST, 2.0),
        "duration 1m expected": (job(time_limit="2h", expected_duration="1m"), NO_PAST, 1 / 60),
        "duration 1m30s measured (in 4 runs)": (job(expected_duration="1m"), ran, 730 / 192 * 4 * 90 / 3600),
    }
    for text, (spec, past, hours) in told.items():
        runs, duration = assumes(spec, past)
        (line,) = estimate(spec, {"runs": runs.value, "duration": duration.value})
        assert duration.text == text
        assert (line.sku, line.quantity) == ("task.cpu", 1000)
        assert abs(line.hours_per_month - hours) < 1e-9


def test_an_interruption_costs_what_is_done_again() -> None:
    """On spot, where it goes on from a checkpoint: its start-up, and half of what lies between two checkpoints. How
    often that happens nobody knows who does not say it; what a start-up takes is measured."""
    spec = job(spot=True, checkpoint={"bucket": "lake", "every": "20s"}, expected_duration="10m")
    measured = Past(startup_s=4.0, startups=2)

    found = assumes(spec, measured)

    assert [each.text for each in found[2:]] == ["interruptions 0 assumed", "startup 4s measured (over 2 attempts)"]
    assert [each.text for each in assumes(spec, NO_PAST)[3:]] == ["startup 0s assumed"]
    assert len(assumes(job(checkpoint={"bucket": "lake"}), measured)) == len(assumes(job(spot=True), measured)) == 2
    figures = {each.name: each.value for each in found}
    (never,), (thrice,) = estimate(spec, figures), estimate(spec, {**figures, "interruptions": 3.0})
    assert never.hours_per_month == pytest.approx(600 / 3600)
    assert thrice.hours_per_month == pytest.approx((600 + 3 * (4 + 10)) / 3600)


def test_a_plan_is_told_what_a_job_remembers() -> None:
    """What was measured of its attempts; of a memory that cannot be read nothing is known."""
    memory = to_json(JobMemory, JobMemory(startup_s=4.0, startups=2))
    assert KIND.recalled(memory, NO_PAST) == Past(startup_s=4.0, startups=2)
    assert KIND.recalled(None, NO_PAST) is NO_PAST
    assert KIND.recalled("{broken", NO_PAST) is NO_PAST


def test_spot_without_checkpoints_is_unwise() -> None:
    """Each reclaim would throw it back to its beginning, and that is paid for."""
    specs = {
        "spot": job(spot=True),
        "saved": job(spot=True, checkpoint={"bucket": "lake"}),
        "kept": job(),
    }
    proposal = Proposal({Ref("digits", "job", name): spec for name, spec in specs.items()}, {})

    assert [finding.ref.name for finding in checks(proposal)] == ["spot"]


def test_it_is_metered_while_it_runs() -> None:
    """The bill is the engine's own record of start and end, whatever has been decided since."""
    assert KIND.usage is not None

    usages = KIND.usage(job(), {"1": task(TaskState.ENDED, ended_at=140.0)})

    assert [(usage.sku, usage.since, usage.until) for usage in usages] == [("task.cpu", 100.0, 140.0)]


SPECS = (
    job(),
    job(run="b", retries={"max": 2}),
    job(writes=["lake"]),
    job(protect=True),
    job(replicas=3, retries={"max": 1}),
    job(array={"count": 3, "max_parallel": 2}),
    job(array=2, replicas=3, suspend=True),
    None,
)
FACTS = st.builds(
    TaskFacts,
    st.sampled_from(TaskState),
    started_at=st.sampled_from((None, 5.0)),
    ended_at=st.sampled_from((None, 4.0, 9.0)),
    end=st.none() | st.builds(TaskEnd, st.sampled_from(EndReason)),
)
ANY_NEEDS = st.sampled_from(({}, {LAKE: Need(Phase.UNKNOWN)}, {LAKE: Need(Phase.READY, {"name": "digits-lake"})}))


@settings(max_examples=300, deadline=None)
@given(moves(FACTS, st.sampled_from(SPECS), ANY_NEEDS))
def test_whatever_happens_one_attempt_runs_at_a_time(history: list[Move]) -> None:
    """Never: two attempts at once, a number used twice, a task forgotten. Eventually: what is not wanted goes."""
    ours, used = History(KIND, TRAIN), set[str]()
    for move in history:
        if move.spec == SPECS[2] and LAKE not in move.needs:
            continue
        decision = ours.move(move)
        ensured = {action.part for action in decision.actions if isinstance(action, Ensure)}
        begun = ensured - used
        live = gangs_of(ours.live_tasks())
        assert len({index for index, _ in live}) == len(live), f"two attempts at once: {ours.things}"
        assert not (indices_of(begun) & indices_of(ours.live_before)), "begun while another may be running"
        assert not (begun and move.is_held), "begun although the stack may not spend"
        assert all(len(gang) in (1, 3) for gang in members_of(begun).values()), "a gang that is not whole"
        used = set() if decision.forget else used | begun
        assert not (ensured & ours.buried), "a number was used twice"
    assert goes_away(ours)


def members_of(names: Iterable[str]) -> dict[tuple[int | None, int], set[int | None]]:
    """The ranks of each attempt of each index."""
    found: dict[tuple[int | None, int], set[int | None]] = {}
    for name in names:
        part = Part.parse(name)
        assert part is not None
        found.setdefault((part.index, part.attempt), set()).add(part.rank)
    return found


def gangs_of(names: Iterable[str]) -> set[tuple[int | None, int]]:
    return set(members_of(names))


def indices_of(names: Iterable[str]) -> set[int | None]:
    return {index for index, _ in members_of(names)}
