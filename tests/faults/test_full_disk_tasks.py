"""A disk without room may cost a task time, and lines of its log. Never the task itself, a second start, or its end."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from choosing import Choose
from engines import LocalWorld, Program, facts_of, task_id
from failing_calls import failing
from one_user import is_alive, until
from small_disk import SmallDisk

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, Present, TaskFacts

PAGES = range(10)
"""A task writes four records of a page each, and a log of five: with the last of these there is room for all."""
FILES = range(8)
LOG_BYTES = 20_000


@pytest.fixture
def world(disk: SmallDisk) -> Iterator[LocalWorld]:
    """The local engine, whose folder of tasks alone lies on the small disk."""
    world = LocalWorld()
    (world.home / "tasks").rename(world.home / "unused")
    (disk.path / "tasks").mkdir(mode=0o700)
    (world.home / "tasks").symlink_to(disk.path / "tasks")
    world.reopen()
    yield world
    disk.leave()
    world.close()


def folder(world: LocalWorld, id: ThingId) -> Path:
    return world.home / "tasks" / quote(str(id), safe="")


def begun(world: LocalWorld, id: ThingId, word: str = "begun") -> int:
    path = world.home / f"told-{id.part}"
    return path.read_text().split().count(word) if path.exists() else 0


def task(world: LocalWorld, id: ThingId) -> Wanted:
    """Says elsewhere that it began and ended, and writes more into its log than there is room for."""
    told = world.home / f"told-{id.part}"
    script = f"echo begun >>{told}; head -c {LOG_BYTES - 1} /dev/zero | tr '\\0' x; echo; echo ended >>{told}"
    return Wanted(id, 1, TaskBody(("/bin/sh", "-c", script), str(world.home), grace_s=2.0))


def live_through(world: LocalWorld, disk: SmallDisk, id: ThingId, pages: int | None, files: int | None) -> None:
    """Asks for a task while there is only so much room, then makes room: it ran once, and its end is known."""
    disk.leave(pages, files)
    want = task(world, id)
    if want.id not in world.provider.ensure([want]):
        # It was accepted: it begins and ends although there may be no room to say so.
        until(lambda: begun(world, id, "ended") == 1, "the task to end")
    seen = world.observe(id)
    assert not isinstance(seen, Present) or _is_healthy(facts_of(seen)), f"{pages=} {files=} {seen}"

    disk.leave()
    world.patiently(lambda: world.provider.ensure([want]))
    end = world.ended(id).end
    assert end is not None
    assert (end.reason, begun(world, id)) == (EndReason.SUCCEEDED, 1), f"{pages=} {files=} {end}"
    log = b"".join(world.provider.logs(id))
    assert len(log) == LOG_BYTES or b"were lost" in log or "were lost" in end.detail, "what is lost is told of"
    assert not list(folder(world, id).glob(".*")), "no draft is left"
    assert not list((world.home / "tasks").glob(".new-*")), "no half claim is left"


def test_a_task_lives_through_a_disk_with_room_for_a_few_pages(
    world: LocalWorld, disk: SmallDisk, choose: Choose
) -> None:
    """Each record in turn is the first that finds no room."""
    for pages in choose(PAGES, 5):
        live_through(world, disk, task_id(f"{pages}"), pages, None)


def test_a_task_lives_through_a_disk_with_room_for_a_few_files(
    world: LocalWorld, disk: SmallDisk, choose: Choose
) -> None:
    """As above, for a file system that has no names left: the FIFO for requests is a file, too."""
    for files in choose(FILES, 5):
        live_through(world, disk, task_id(f"{files}"), None, files)


@pytest.mark.parametrize("call", ["rename", "fsync", "mknodat"])
def test_a_task_lives_through_a_disk_that_refuses_one_call(
    world: LocalWorld, tmp_path: Path, choose: Choose, call: str
) -> None:
    """The launcher and every wrapper it forks meet the error at their n-th call of this sort."""
    world.ensure(task_id("warm"), Program())
    last, launcher = wrapper_of(world, task_id("warm")), world.launcher.pid() or 0
    for n in choose(range(1, 4), 2):
        id = task_id(f"{n}")
        # The last wrapper is gone and the next one is ready: strace attaches to it, too.
        last = until(partial(spare_of, launcher, last), "the launcher to have a spare wrapper")
        with failing([launcher, last], tmp_path / "strace.log", call, "EIO", f"{n}") as injected:
            world.patiently(lambda id=id: world.provider.ensure([task(world, id)]))  # type: ignore[misc]
            until(lambda id=id: begun(world, id, "ended") == 1, "the task to end")  # type: ignore[misc]
            end = world.ended(id).end
            # Its end has its name before it is synced, which is the last that its wrapper does.
            until(partial(is_gone, last), "its wrapper to end")
        assert injected.calls or n > 1, f"no {call} was met"
        assert end is not None
        assert (end.reason, begun(world, id)) == (EndReason.SUCCEEDED, 1), f"{call} {n}: {end}"


def is_gone(pid: int) -> bool:
    return not is_alive(pid)


def spare_of(launcher: int, last: int) -> int:
    """The wrapper that the launcher keeps ready, once the `last` one is gone; else 0."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return int(children[0]) if len(children) == 1 and int(children[0]) != last else 0


def wrapper_of(world: LocalWorld, id: ThingId) -> int:
    """The process that looked after a task that has ended."""
    world.ended(id)
    return int(json.loads((folder(world, id) / "state.json").read_text())["wrapper"])


def _is_healthy(facts: TaskFacts) -> bool:
    return facts.end is None or facts.end.reason is EndReason.SUCCEEDED
