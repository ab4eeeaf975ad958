"""One trail from many processes: nothing mixed, nothing unbounded, a torn line harmless."""

import threading
from pathlib import Path

from weyr.access.audit import FIELD_MAX, AuditLog, recent
from weyr.core.audit import AuditEvent


def event(at: float, process: str = "server", resource: str = "digits-lake/model") -> AuditEvent:
    return AuditEvent(at, process, "task:digits:job/train#2", "s3:read", resource, False, "no grant")


def test_the_trail_of_all_processes_is_in_order(tmp_path: Path) -> None:
    """An operator asks what happened at 12:01, not which process saw it."""
    logs = {name: AuditLog(tmp_path, name) for name in ("server", "s3", "inference")}
    for at, name in enumerate(("s3", "server", "inference", "s3")):
        logs[name].append(event(at, name))
    assert [(e.at, e.process) for e in recent(tmp_path, 3)] == [(1, "server"), (2, "inference"), (3, "s3")]
    assert recent(tmp_path, 0) == []
    assert recent(tmp_path / "none", 9) == []


def test_an_event_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """The reason is what the user is helped with."""
    log = AuditLog(tmp_path, "server")
    log.decide(7.5, "", "api:write", "plans\n\u2028", False, "no token")
    assert recent(tmp_path) == [AuditEvent(7.5, "server", "", "api:write", "plans\n\u2028", False, "no token")]


def test_a_torn_last_line_hides_nothing_else(tmp_path: Path) -> None:
    """Power fails in the middle of a line; what was written before and after is still told."""
    log = AuditLog(tmp_path, "server")
    log.append(event(1))
    log.close()
    file = tmp_path / "server.jsonl"
    file.write_bytes(file.read_bytes() + event(2).line()[:-20])
    assert [e.at for e in recent(tmp_path)] == [1]
    file.write_bytes(file.read_bytes() + b"\n\x00\xff\n[]\n" + event(3).line())
    assert [e.at for e in recent(tmp_path)] == [1, 3]


def test_the_trail_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    """A caller that is refused a million times does not fill the disk."""
    log = AuditLog(tmp_path, "server", rotate_at_bytes=4_000)
    for at in range(500):
        log.append(event(at, resource="x" * 100_000))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 8_000
    newest = recent(tmp_path, 3)
    assert [e.at for e in newest] == [497, 498, 499]
    assert len(newest[0].resource) == FIELD_MAX
    assert log.lost == 0


def test_long_trails_are_read_from_the_end(tmp_path: Path) -> None:
    """Lines cross the blocks that are read; none is lost or doubled."""
    log = AuditLog(tmp_path, "server")
    for at in range(2_000):
        log.append(event(at))
    assert [e.at for e in recent(tmp_path, 1_500)] == list(range(500, 2_000))
    assert len(recent(tmp_path, 5_000)) == 2_000


def test_threads_do_not_mix_lines(tmp_path: Path) -> None:
    """Also while the file is rotated under them."""
    log = AuditLog(tmp_path, "server", rotate_at_bytes=60_000)

    def refuse(number: int) -> None:
        for _ in range(50):
            log.append(event(number))

    threads = [threading.Thread(target=refuse, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recent(tmp_path, 1_000)) == 200
