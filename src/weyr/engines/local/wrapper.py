"""What happens to one task, from its start to its recorded end? One process per task, forked by the
launcher, that nobody needs to watch.

It holds the task's lock for its life, starts the command under its limits, pumps its output, obeys
requests left in the folder, ends every descendant, and writes exit.json last of all. Standard library only.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from weyr.engines.local import processes, task_folder
from weyr.engines.local.limits import MEASURE_S, Hierarchy, Limits
from weyr.engines.local.logs import TaskLog
from weyr.engines.local.spawn import spawn
from weyr.engines.local.task_folder import Order

READ_BYTES = 65536
SWEEP_S = 10.0
"""How long the last processes may take to go after SIGKILL; only one stuck in the kernel takes longer."""
RESTORE_S = 600.0


class Wrapper:
    """The life of one task. `run` is the order of it; `_turn` is the one place that waits."""

    def __init__(self, order: Order, trees: dict[str, Hierarchy]) -> None:
        self._order, self._folder = order, order["folder"]
        self._main = self._agent = 0
        self._status: int | None = None
        self._reason = self._detail = ""
        self._cpu_s, self._memory_max = 0.0, 0
        self._notice_at: float | None = None
        self._started_at: float | None = None
        self._started = 0.0
        self._kill_at = self._agent_kill_at = self._reclaimed_at = float("inf")
        self._measure_at = 0.0
        self._restored = self._saved = ""
        self._is_restoring = False
        self._agent_rest = b""
        self._output = self._agent_in = self._agent_out = self._oom = -1
        self._stopped = False
        self._poll = select.poll()
        self._log = TaskLog(os.path.join(self._folder, task_folder.LOGS), order["masks"])
        self._limits = Limits(order["group"], order["cpu"], order["memory_bytes"], trees)

    def run(self) -> None:
        """Runs the task. Promises: whatever happens in here, no process of it is left and its end is recorded."""
        try:
            self._prepare()
            if self._order["agent"] and not self._reason:
                self._restore()
            if not self._reason:
                self._start()
            while self._is_alive():
                self._turn()
        finally:
            self._sweep()
            self._drain()
            self._finish_agent()
            self._record()

    # --- the parts of a life, in order

    def _prepare(self) -> None:
        processes.adopt_orphans()
        os.mkfifo(os.path.join(self._folder, task_folder.CONTROL), 0o600)
        # Opened for both: the FIFO then never reports that its last writer went.
        control = os.open(os.path.join(self._folder, task_folder.CONTROL), os.O_RDWR | os.O_NONBLOCK)
        self._control = control
        wake_out, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_stop("stopped", "its wrapper was told to end", None))
        self._wake = wake_out
        for fd in (control, wake_out):
            self._poll.register(fd, select.POLLIN)
        self._write_state()
        self._read_requests()

    def _restore(self) -> None:
        """Starts the checkpoint agent, and waits until the checkpoint folder is as it should be."""
        in_read, self._agent_in = os.pipe2(os.O_CLOEXEC)
        self._agent_out, out_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._agent_out, False)
        agent, error = spawn(self._order["agent"], "/", self._order["env"], in_read, out_write, None)
        os.close(in_read)
        os.close(out_write)
        self._agent = agent
        self._poll.register(self._agent_out, select.POLLIN)
        self._is_restoring = not error
        self._agent_kill_at = time.monotonic() + RESTORE_S
        while self._is_restoring and self._agent and not self._reason:
            self._turn()
        self._agent_kill_at = float("inf")
        if (error or not self._agent) and not self._reason:
            self._reason, self._detail = "not started", error or "its checkpoint could not be restored; see its log"

    def _start(self) -> None:
        order = self._order
        self._write_secret_files()
        self._output, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._oom = self._limits.out_of_memory_event() or -1
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._main, error = spawn(order["argv"], order["workdir"], order["env"], null, write, self._limits)
        self._started, self._started_at = time.monotonic(), time.time()
        os.close(null)
        os.close(write)
        if error:
            self._reason, self._detail = "not started", error
            self._log.say(error)
            return
        for fd in (self._output, self._oom):
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)
        self._write_state()
        self._tell("started")

    def _is_alive(self) -> bool:
        """Whether there is something to wait for. A shell may end at SIGTERM while what it started
        still saves its work: until the grace is over the whole process group counts."""
        if self._main and self._status is None:
            return True
        if not self._main or self._kill_at == float("inf") or time.monotonic() >= self._kill_at:
            return False
        return any(processes.group_of(pid) == self._main for pid in self._below())

    def _sweep(self) -> None:
        """Kills what is left of the task, daemons too: as subreaper we are the parent of them all."""
        self._kill_at = float("inf")
        until = time.monotonic() + SWEEP_S
        while time.monotonic() < until:
            left = self._below() if self._reap() else []
            if not left:
                return
            processes.signal_all(left, signal.SIGKILL)
            self._turn(0.02)

    def _drain(self) -> None:
        while self._output >= 0 and self._pump():
            pass

    def _finish_agent(self) -> None:
        """Lets the agent save what the task left, until its bound or the node's end."""
        if not self._agent:
            return
        if self._agent_in >= 0:
            os.close(self._agent_in)  # the agent reads its end there and saves once more
            self._agent_in = -1
        now = time.monotonic()
        until = now + self._order["save_s"] if self._reason != "not started" else now + 1.0
        self._agent_kill_at = min(self._agent_kill_at, until)
        self._agent_kill_at = min(self._agent_kill_at, self._reclaimed_at)
        while self._agent:
            self._turn()

    def _record(self) -> None:
        order, status = self._order, self._status
        code = os.WEXITSTATUS(status) if status is not None and os.WIFEXITED(status) else None
        number = os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None
        self._judge(code, number)
        for path in order["secret_files"]:
            _unlink(os.path.join(order["secret_folder"], path))
        if order["secret_folder"]:
            _rmdir(order["secret_folder"])
        self._log.close()
        self._write_state()
        end = {
            "reason": self._reason,
            "exit_code": code,
            "signal": number,
            "detail": self._detail,
            "cpu_s": round(self._cpu_s, 6),
            "memory_max_bytes": max(self._memory_max, self._limits.memory_max_bytes()),
            "started_at": self._started_at,
            "ended_at": time.time(),
        }
        self._limits.remove()
        _unlink(order["socket"])
        # The last deed: from here a task of the same name may begin.
        task_folder.write_json(self._folder, task_folder.EXIT, end, is_durable=True)
        self._tell("ended")

    def _judge(self, code: int | None, number: int | None) -> None:
        if self._main and code != 0 and self._reason in ("", "stopped") and self._limits.out_of_memory_count():
            self._run_out_of_memory()
        if self._reason:
            return
        if self._status is None:
            self._reason, self._detail = "lost", "its wrapper failed; see the launcher's log"
        elif code == 0:
            self._reason = "succeeded"
        elif number is not None:
            self._reason, self._detail = "failed", f"it was killed by {signal.Signals(number).name}"
        else:
            self._reason, self._detail = "failed", f"it ended with exit code {code}"

    # --- one turn of waiting

    def _turn(self, most_s: float | None = None) -> None:
        """Waits for the next thing to happen, at most until the next deadline, and sees to it."""
        now = time.monotonic()
        flood_s = self._log.wait_s() if self._output >= 0 else 0.0
        if self._output >= 0:
            self._poll.modify(self._output, 0 if flood_s else select.POLLIN)
        deadline = min(self._next_deadline(), now + flood_s if flood_s else float("inf"))
        wait_s = deadline - now if most_s is None else min(most_s, deadline - now)
        ready = self._poll.poll(None if wait_s == float("inf") else max(0, int(wait_s * 1000) + 1))
        for fd, event in ready:
            self._take(fd, event)
        self._reap()
        self._check(time.monotonic())

    def _next_deadline(self) -> float:
        deadline = min(self._kill_at, self._agent_kill_at)
        if self._main and self._status is None:
            if self._order["time_limit_s"] is not None and not self._reason:
                deadline = min(deadline, self._started + self._order["time_limit_s"])
            if self._limits.must_measure:
                deadline = min(deadline, self._measure_at)
        return deadline

    def _take(self, fd: int, event: int) -> None:
        if fd == self._output:
            if event & (select.POLLIN | select.POLLHUP) and not self._pump():
                self._forget_output()
        elif fd == self._control:
            _empty(fd)
            self._read_requests()
        elif fd == self._agent_out:
            self._hear_agent()
        elif fd == self._oom:
            _empty(fd)
            self._run_out_of_memory()
            self._kill()
        else:
            _empty(fd)

    def _check(self, now: float) -> None:
        is_running = bool(self._main) and self._status is None
        limit_s = self._order["time_limit_s"]
        if is_running and limit_s is not None and not self._reason and now >= self._started + limit_s:
            self._ask_stop("timed out", f"it ran longer than its {limit_s:g} s", self._order["grace_s"])
        if is_running and self._limits.must_measure and now >= self._measure_at:
            self._measure(now)
        if now >= self._kill_at and is_running:
            self._kill()
        if now >= self._agent_kill_at and self._agent:
            processes.signal_all([*processes.descendants(self._agent), self._agent], signal.SIGKILL)

    def _measure(self, now: float) -> None:
        """Adds up what the task's processes hold. Shared pages are counted once only where it matters:
        the exact figure costs ten times the rough one."""
        limit = self._order["memory_bytes"] or 0
        below = self._below()
        held = processes.resident_bytes(below)
        if held > limit:
            held = processes.proportional_bytes(below)
        self._memory_max = max(self._memory_max, held)
        self._measure_at = now + MEASURE_S
        if held > limit:
            self._run_out_of_memory()
            self._kill()

    def _run_out_of_memory(self) -> None:
        limit = self._order["memory_bytes"] or 0
        self._reason, self._detail = "out of memory", f"it needed more than its {limit >> 20} MiB of memory"

    # --- requests and signals

    def _read_requests(self) -> None:
        reclaim = task_folder.read_json(self._folder, task_folder.RECLAIM)
        if reclaim and self._notice_at is None:
            self._notice_at = float(reclaim["at"])
            left_s = self._notice_at + float(reclaim["notice_s"]) - time.time()
            self._log.say(f"the node is reclaimed in {max(0.0, left_s):.1f} s")
            self._reclaimed_at = time.monotonic() + max(0.0, left_s)
            self._ask_stop("reclaimed", "its spot node was reclaimed", max(0.0, left_s))
            self._write_state()
            self._tell("notice")
        stop = task_folder.read_json(self._folder, task_folder.STOP)
        if stop and not self._stopped:
            self._stopped = True
            self._ask_stop("stopped", "it was told to stop", float(stop["grace_s"]))

    def _ask_stop(self, reason: str, detail: str, grace_s: float | None) -> None:
        """SIGTERM now, SIGKILL after the grace. A second request can only shorten it."""
        if not self._reason:
            self._reason, self._detail = reason, detail
            if self._main and self._status is None:
                processes.signal_group(self._main, signal.SIGTERM)
        grace_s = self._order["grace_s"] if grace_s is None else grace_s
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)

    def _kill(self) -> None:
        self._kill_at = float("inf")  # done once; the sweep sees to what is left
        processes.signal_group(self._main, signal.SIGKILL)
        processes.signal_all(self._below(), signal.SIGKILL)

    def _below(self) -> list[int]:
        return processes.descendants(os.getpid(), but=self._agent)

    def _reap(self) -> bool:
        """Takes the exits of all children; False once there is no child left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._agent:
                self._agent = 0
                self._hear_agent()
                continue
            self._cpu_s += usage.ru_utime + usage.ru_stime
            if self._limits.memory_by != "measuring":
                self._memory_max = max(self._memory_max, usage.ru_maxrss * 1024)
            if pid == self._main:
                self._status = status

    # --- output, the agent's reports, and ours

    def _pump(self) -> bool:
        try:
            chunk = os.read(self._output, READ_BYTES)
        except BlockingIOError:
            return self._status is None
        if chunk:
            self._log.write(chunk)
        return bool(chunk)

    def _forget_output(self) -> None:
        if self._status is None and self._output >= 0:
            # The task closed its output and lives on; a closed pipe would be reported for ever.
            self._poll.unregister(self._output)
            os.close(self._output)
            self._output = -1

    def _hear_agent(self) -> None:
        try:
            text = os.read(self._agent_out, READ_BYTES)
        except BlockingIOError:
            return
        if not text:
            self._poll.unregister(self._agent_out)
            self._poll.register(self._agent_out, 0)
            return
        *lines, self._agent_rest = (self._agent_rest + text).split(b"\n")
        for line in lines:
            self._take_report(line)

    def _take_report(self, line: bytes) -> None:
        """One line of the agent: a JSON object, or plain words that go to the log."""
        try:
            report: dict[str, Any] = json.loads(line)
            event, name = report["event"], str(report.get("name", ""))
        except (ValueError, KeyError, TypeError):
            self._log.say(f"checkpoint: {line.decode(errors='replace')[:500]}")
            return
        if event == "restored":
            self._is_restoring, self._restored = False, name
            self._log.say(f"resumes from checkpoint {name}" if name else "no checkpoint to resume from")
        elif event == "saved":
            self._saved = name
            self._log.say(f"checkpoint {name} is saved")
        self._write_state()
        if event == "saved":
            self._tell("saved")

    def _write_state(self) -> None:
        state = {
            "wrapper": os.getpid(),
            "pid": self._main,
            "starttime": processes.start_ticks(self._main) if self._main and self._status is None else None,
            "started_at": self._started_at,
            "boot": processes.boot_id(),
            "groups": self._limits.folders,
            "cpu_by": self._limits.cpu_by,
            "memory_by": self._limits.memory_by,
            "notice_at": self._notice_at,
            "restored": self._restored,
            "saved": self._saved,
        }
        task_folder.write_json(self._folder, task_folder.STATE, state)

    def _tell(self, event: str) -> None:
        """Wakes the loop, if one listens. Nothing hangs on it: the records are what counts."""
        if not self._order["events"]:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as door:
                door.sendto(json.dumps({"id": self._order["id"], "event": event}).encode(), self._order["events"])
        except OSError:
            return

    def _write_secret_files(self) -> None:
        folder = self._order["secret_folder"]
        if not folder:
            return
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for name, value in self._order["secret_files"].items():
            fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(fd, value.encode())
            os.close(fd)


def _empty(fd: int) -> None:
    try:
        while len(os.read(fd, 4096)) == 4096:
            pass
    except BlockingIOError:
        return


def _unlink(path: str) -> None:
    try:
        if path:
            os.unlink(path)
    except OSError:
        return


def _rmdir(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        return


def main(order: Order, trees: dict[str, Hierarchy], lock: int) -> None:
    """The wrapper process, right after the launcher's fork. `lock` is held until it is gone."""
    assert fcntl.fcntl(lock, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "the task must not inherit its own lock"
    os.setsid()
    os.chdir("/")
    try:
        Wrapper(order, trees).run()
    except Exception as e:  # the process's edge: the launcher's log is the only place to say it
        print(f"{order['id']}: the wrapper failed: {e!r}", file=sys.stderr, flush=True)
        raise
