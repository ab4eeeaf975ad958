"""Programs that would take the machine along: each hurts only itself, and its end says what it did."""

import json
from pathlib import Path
from urllib.parse import quote

from engines import LocalWorld, task_id

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, TaskEnd

MIB = 1 << 20
BOMB = "bomb() { bomb | bomb & }; bomb; sleep 0.3; echo still here"


def start(local: LocalWorld, script: str, id: ThingId, **changes: object) -> None:
    body = TaskBody(("/bin/sh", "-c", script), str(local.home), **changes)  # type: ignore[arg-type]
    assert local.provider.ensure([Wanted(id, 1, body)]) == {}


def end(local: LocalWorld, id: ThingId) -> TaskEnd:
    found = local.ended(id).end
    assert found is not None
    return found


def state(local: LocalWorld, id: ThingId) -> dict[str, object]:
    folder = local.home / "tasks" / quote(str(id), safe="")
    found: dict[str, object] = json.loads((folder / "state.json").read_text())
    return found


def test_a_fork_bomb_leaves_room_for_others(local: LocalWorld) -> None:
    """While it explodes another task starts and ends as always; its end takes every process of it along."""
    start(local, f": {local.home}; {BOMB}", task_id(), processes_max=60, time_limit_s=2.0, grace_s=0.1)
    local.until(task_id(), lambda _: b"fork" in b"".join(local.provider.logs(task_id())).lower())
    start(local, "echo fine", task_id("2"))
    assert end(local, task_id("2")).reason is EndReason.SUCCEEDED
    end(local, task_id())
    assert not any(f": {local.home}; bomb()" in words for words in command_lines())


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text())
        except OSError:
            continue
    return found


def test_a_disk_filler_is_ended_at_its_bound(local: LocalWorld, tmp_path: Path) -> None:
    """By one large file, which the kernel stops, and by many small ones, which are added up."""
    scripts = {
        "1": "cat /dev/zero > one",
        "2": "i=0; while :; do head -c 500000 /dev/zero > f$i; i=$((i+1)); sleep 0.01; done",
    }
    for number, script in scripts.items():
        work = tmp_path / number
        work.mkdir()
        body = TaskBody(("/bin/sh", "-c", script), str(work), disk_bytes=8 * MIB, grace_s=0.1)
        local.provider.ensure([Wanted(task_id(number), 1, body)])
    for number in scripts:
        assert end(local, task_id(number)).reason is EndReason.FAILED
        assert end(local, task_id(number)).detail == "it wrote more than its 8 MiB of disk"
        assert sum(path.stat().st_size for path in (tmp_path / number).iterdir()) < 200 * MIB


def test_what_lay_in_its_folder_before_is_not_its_doing(local: LocalWorld, tmp_path: Path) -> None:
    """A folder of training data must not count against who reads it."""
    (tmp_path / "given").write_bytes(b"x" * 9 * MIB)
    body = TaskBody(("/bin/sh", "-c", "sleep 1.5; echo x > made"), str(tmp_path), disk_bytes=8 * MIB)
    local.provider.ensure([Wanted(task_id(), 1, body)])
    assert end(local, task_id()).reason is EndReason.SUCCEEDED


def test_a_task_lets_its_owner_go_first(local: LocalWorld) -> None:
    """What a person runs by hand beside a hundred jobs is not slowed to a hundredth; what serves does not wait."""
    start(local, "nice; exit 0", task_id())
    end(local, task_id())
    assert b"".join(local.provider.logs(task_id())) == b"5\n"
    start(local, "nice; sleep 30", task_id("2"), probe="/ready")
    local.until(task_id("2"), lambda _: b"".join(local.provider.logs(task_id("2"))) == b"0\n")
