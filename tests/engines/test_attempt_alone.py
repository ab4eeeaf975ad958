"""The portable wrapper: one attempt on a machine that has Weyr and nothing else of ours."""

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from engines import plain_order

WITHIN_S = 90.0


def order(folder: Path, script: str, **changes: Any) -> dict[str, Any]:
    return plain_order(folder, script, masks=["hunter22"], **changes)


def run(order: dict[str, Any], renew_every_s: float | None = None) -> int:
    """Runs an attempt to its end, renews its lease meanwhile; gives the wrapper's exit code."""
    with subprocess.Popen([sys.executable, "-m", "weyr.attempt", "-"], stdin=subprocess.PIPE, bufsize=0) as wrapper:
        assert wrapper.stdin is not None
        wrapper.stdin.write(json.dumps(order).encode() + b"\n")
        while renew_every_s and wrapper.poll() is None:
            with suppress(BrokenPipeError):
                wrapper.stdin.write(b".")
            time.sleep(renew_every_s)
        return wrapper.wait(WITHIN_S)


def end_of(folder: Path) -> dict[str, Any]:
    end: dict[str, Any] = json.loads((folder / "exit.json").read_text())
    return end


def until(path: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


def test_an_attempt_from_a_file_records_its_end_and_masks_its_log(tmp_path: Path) -> None:
    """What ran on a node of a cluster is known afterwards, secrets are in no log, and the order is on no disk."""
    written = tmp_path / "order.json"
    written.write_text(json.dumps(order(tmp_path / "task", "echo it is hunter22; exit 3")))
    subprocess.run([sys.executable, "-m", "weyr.attempt", str(written)], check=True, timeout=WITHIN_S)
    end = end_of(tmp_path / "task")
    assert (end["reason"], end["exit_code"]) == ("failed", 3)
    assert (tmp_path / "task" / "000001.log").read_bytes() == b"it is ****\n"
    assert not written.exists()


def test_an_attempt_begins_once(tmp_path: Path) -> None:
    """A cluster that starts what it has started before, such as after a requeue, must not train twice."""
    what = order(tmp_path / "task", f"echo begun >> {tmp_path}/begun")
    assert run(what) == 0
    assert run(what) == 75
    assert (tmp_path / "begun").read_text() == "begun\n"


def test_without_a_lease_renewed_it_ends_itself(tmp_path: Path) -> None:
    """An attempt that nobody can reach must not run on beside the one that follows it."""
    assert run(order(tmp_path / "task", "trap '' TERM; sleep 60", lease_s=0.5)) == 0
    assert end_of(tmp_path / "task")["reason"] == "node lost"


def test_a_renewed_lease_lets_it_run_on(tmp_path: Path) -> None:
    """As long as it is in touch, an attempt runs as long as it likes."""
    assert run(order(tmp_path / "task", f"sleep 3; touch {tmp_path}/whole", lease_s=2), renew_every_s=0.1) == 0
    assert end_of(tmp_path / "task")["reason"] == "succeeded"
    assert (tmp_path / "whole").exists()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """What a cluster takes away takes its task along; nothing of it is left on the node."""
    (tmp_path / "order.json").write_text(json.dumps(order(tmp_path / "task", f"touch {tmp_path}/runs; sleep 60")))
    program = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'weyr.attempt', sys.argv[1]])"
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "order.json")])
    until(tmp_path / "runs")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(tmp_path / "task" / "exit.json")
    assert end_of(tmp_path / "task")["reason"] == "stopped"
