"""What may be relied on of every engine that runs tasks. One suite, all engines."""

import pytest
from engines import Program, TaskWorld, facts_of, task_id

from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskState

MIB = 1 << 20


def test_what_was_never_wanted_is_absent(world: TaskWorld) -> None:
    """Absence is an answer, not a failure: the loop may forget on it."""
    assert world.observe(task_id("404")) == Absent()


@pytest.mark.parametrize(("code", "reason"), [(0, EndReason.SUCCEEDED), (3, EndReason.FAILED)])
def test_an_exit_is_recorded_with_its_code(world: TaskWorld, code: int, reason: EndReason) -> None:
    """Exit codes mean something: success is zero and nothing else."""
    assert world.ensure(task_id(), Program(exit_code=code)) is None
    facts = world.ended(task_id())
    assert facts.end is not None
    assert (facts.end.reason, facts.end.exit_code) == (reason, code)
    assert facts.started_at is not None
    assert facts.ended_at is not None
    assert facts.started_at <= facts.ended_at


def test_the_same_thing_twice_is_one_task(world: TaskWorld) -> None:
    """A lost reply makes the loop say it again; nobody pays for two."""
    program = Program(runs_s=0.3)
    for _ in range(3):
        world.ensure(task_id(), program)
    _begun_at(world)
    world.ensure(task_id(), program)
    world.ended(task_id())
    world.ensure(task_id(), program)
    world.ended(task_id())
    assert world.starts(task_id()) == 1


def test_a_restart_of_ours_changes_nothing(world: TaskWorld) -> None:
    """Kill the server, kill the launcher: the task runs on, is adopted, and is not started again."""
    program = Program(runs_s=0.8)
    world.ensure(task_id(), program)
    began_at = _begun_at(world)
    world.restart()
    assert _begun_at(world) == began_at
    world.ensure(task_id(), program)
    assert world.inventory() == [task_id()]
    end = world.ended(task_id()).end
    assert end is not None
    assert end.reason is EndReason.SUCCEEDED
    assert world.starts(task_id()) == 1


def test_an_older_generation_is_refused(world: TaskWorld) -> None:
    """A message that was late must not undo what was said after it."""
    program = Program(runs_s=30)
    assert world.ensure(task_id(), program, generation=7) is None
    assert world.ensure(task_id(), program, generation=6) is not None
    seen = world.observe(task_id())
    assert isinstance(seen, Present)
    assert seen.generation == 7


def test_a_newer_generation_of_the_same_task_is_taken(world: TaskWorld) -> None:
    """What did not change goes on; it is only known under the newer generation."""
    program = Program(runs_s=30)
    world.ensure(task_id(), program, generation=1)
    assert world.ensure(task_id(), program, generation=2) is None
    seen = world.observe(task_id())
    assert isinstance(seen, Present)
    assert seen.generation == 2
    assert world.ensure(task_id(), Program(runs_s=31), generation=3) is not None, "a process cannot be changed"


def test_a_released_task_stops_and_is_then_absent(world: TaskWorld) -> None:
    """SIGTERM, a grace, and proof: Absent comes only after the end was seen to."""
    world.ensure(task_id(), Program(runs_s=30))
    world.running(task_id())
    world.release(task_id())
    world.clear(task_id())
    assert world.inventory() == []
    world.release(task_id())
    assert world.observe(task_id()) == Absent(), "asking twice is harmless"


def test_a_task_that_ignores_the_request_is_killed_after_its_grace(world: TaskWorld) -> None:
    """Nobody runs, or is billed, for ever because they would not listen."""
    world.ensure(task_id(), Program(runs_s=30, ignores_stop=True, writes="x"), grace_s=0.3)
    world.running(task_id())
    _until_it_listens(world)
    world.release(task_id())
    end = _end_before_absent(world)
    assert end is None or end.signal == 9


def test_a_time_limit_ends_a_task(world: TaskWorld) -> None:
    """A limit is kept, and the end says that it was the limit."""
    world.ensure(task_id(), Program(runs_s=30), time_limit_s=0.3)
    end = world.ended(task_id()).end
    assert end is not None
    assert end.reason is EndReason.TIMED_OUT


def test_a_memory_limit_ends_a_task(world: TaskWorld) -> None:
    """Out of memory is called that, not "killed by signal 9"."""
    world.ensure(task_id(), Program(eats_bytes=256 * MIB), memory_bytes=64 * MIB)
    end = world.ended(task_id()).end
    assert end is not None
    assert end.reason is EndReason.OUT_OF_MEMORY


def test_a_reclaimed_task_is_told_and_then_ended(world: TaskWorld) -> None:
    """A spot node's notice is seen while the task may still save."""
    world.ensure(task_id(), Program(runs_s=30))
    world.running(task_id())
    assert world.provider.reclaim(task_id(), 5.0)
    facts = world.ended(task_id())
    assert facts.notice_at is not None
    assert facts.end is not None
    assert facts.end.reason is EndReason.RECLAIMED
    assert not world.provider.reclaim(task_id(), 5.0), "what has ended cannot be reclaimed"


def test_a_second_notice_changes_nothing(world: TaskWorld) -> None:
    """Clouds tell of one reclaim twice, and not always the same: the first one counts, and nobody loses the time that
    it gave to save."""
    world.ensure(task_id(), Program(runs_s=2.0, ignores_stop=True, writes="x"))
    _until_it_listens(world)
    assert world.provider.reclaim(task_id(), 20.0)
    world.until(task_id(), lambda seen: facts_of(seen).notice_at is not None)
    first = facts_of(world.observe(task_id())).notice_at
    world.provider.reclaim(task_id(), 3600.0)
    world.provider.reclaim(task_id(), 0.0)
    facts = world.ended(task_id())
    assert facts.notice_at == first
    assert facts.end is not None
    assert facts.end.reason is EndReason.RECLAIMED
    assert facts.end.signal != 9, "its time was cut short"
    assert b"".join(world.provider.logs(task_id())).count(b"the node is reclaimed") <= 1


def test_a_clock_that_is_set_takes_nobodys_time(world: TaskWorld) -> None:
    """Whoever sets the server's clock, or has nodes with another, moves neither a beginning nor an end: what runs goes
    on, is not begun again, and has the whole notice to save."""
    world.ensure(task_id(), Program(runs_s=2.0, ignores_stop=True, writes="x"))
    _until_it_listens(world)
    began = world.running(task_id()).started_at
    for hours in (-24, 24, -2):
        world.clock_set_by_s = hours * 3600.0
        assert world.running(task_id()).started_at == began
    assert world.provider.reclaim(task_id(), 20.0)
    facts = world.ended(task_id())
    assert facts.end is not None
    assert (facts.end.reason, facts.started_at) == (EndReason.RECLAIMED, began)
    assert facts.end.signal != 9, "its time was cut short"
    assert world.starts(task_id()) == 1


def test_logs_are_there_while_it_runs_and_when_it_is_over(world: TaskWorld) -> None:
    """The last lines are what a user looks for."""
    world.ensure(task_id(), Program(writes="one\ntwo\nthree\n"))
    world.ended(task_id())
    assert b"".join(world.provider.logs(task_id())) == b"one\ntwo\nthree\n"
    assert b"".join(world.provider.logs(task_id(), tail=2)) == b"two\nthree\n"


def test_a_task_that_never_was_has_no_log(world: TaskWorld) -> None:
    """An empty log and no log are two answers."""
    with pytest.raises(FileNotFoundError):
        next(world.provider.logs(task_id("404")))


def test_everything_that_exists_is_listed(world: TaskWorld) -> None:
    """The orphan sweep finds what nobody remembers asking for."""
    ids = [task_id("1"), task_id("2"), task_id("3", name="other_job-1")]
    for id in ids:
        world.ensure(id, Program(runs_s=30))
    assert sorted(world.inventory()) == sorted(ids)


def test_an_ended_task_stays_until_it_is_released(world: TaskWorld) -> None:
    """Its record is the bill's evidence: it goes when the loop says so, not before."""
    world.ensure(task_id(), Program())
    first = world.ended(task_id())
    assert facts_of(world.observe(task_id())) == first
    assert facts_of(world.observe(task_id())).state is TaskState.ENDED


def test_a_log_can_be_read_while_it_is_written(world: TaskWorld) -> None:
    """Who trains for a night looks at the first lines, not at the last."""
    world.ensure(task_id(), Program(runs_s=30, writes="epoch 1\n"))
    world.until(task_id(), lambda _: b"".join(world.provider.logs(task_id())) == b"epoch 1\n")
    assert world.running(task_id()).end is None


def test_each_member_of_a_gang_knows_its_rank(world: TaskWorld) -> None:
    """A script for many machines finds in its environment which of them it is."""
    ids = [task_id("1.0"), task_id("1.1")]
    world.ensure_gang(ids, Program(tells_rank=True))
    ends = [world.ended(id).end for id in ids]
    assert [end.reason for end in ends if end] == [EndReason.SUCCEEDED, EndReason.SUCCEEDED]
    assert [b"".join(world.provider.logs(id)) for id in ids] == [b"0 of 2\n", b"1 of 2\n"]
    assert [world.starts(id) for id in ids] == [1, 1]


def test_a_loss_in_a_gang_is_called_a_loss(world: TaskWorld) -> None:
    """Nobody's program failed: its kind begins again at once, and at no cost to its retries."""
    ids = [task_id("1.0"), task_id("1.1")]
    world.ensure_gang(ids, Program(runs_s=60))
    for id in ids:
        world.running(id)
    world.until(ids[1], lambda _: [world.starts(id) for id in ids] == [1, 1])  # a wrapper runs before its program does
    world.lose(ids[1])
    end = world.ended(ids[1]).end
    assert end is not None
    assert end.reason in (EndReason.NODE_LOST, EndReason.LOST)
    for id in ids:
        world.clear(id)
    assert world.inventory() == []
    assert [world.starts(id) for id in ids] == [1, 1]


def test_an_orphan_is_listed_and_can_be_ended(world: TaskWorld) -> None:
    """A server that never asked for it, or forgot, finds what runs, and ends it."""
    world.ensure(task_id(), Program(runs_s=60))
    world.running(task_id())
    world.restart()
    assert world.inventory() == [task_id()]
    world.clear(task_id())
    assert world.inventory() == []


def _begun_at(world: TaskWorld) -> float:
    """When its process began, also where it has ended since: what runs for a moment may be over at the next look."""

    def began_at(seen: Seen) -> float | None:
        return facts_of(seen).started_at if isinstance(seen, Present) else None

    at = began_at(world.until(task_id(), lambda seen: began_at(seen) is not None))
    assert at is not None
    return at


def _end_before_absent(world: TaskWorld) -> TaskEnd | None:
    seen = world.until(task_id(), lambda seen: seen == Absent() or facts_of(seen).end is not None)
    return facts_of(seen).end if isinstance(seen, Present) else None


def _until_it_listens(world: TaskWorld) -> None:
    """A shell sets its trap a moment after it runs; what it writes then says so."""
    world.until(task_id(), lambda _: b"".join(world.provider.logs(task_id())) == b"x")
