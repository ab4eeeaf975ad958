"""What happens to one task, from its start to its recorded end? One process per task, forked by the
launcher, that nobody needs to watch.

It holds the task's lock for its life, starts the command under its limits, pumps its output, obeys
requests left in the folder, ends every descendant, and writes exit.json last of all. Standard library only.
"""

import os
import select
import signal
import time

from weyr.attempt import container, namespaces, processes, task_folder, verdict
from weyr.attempt.attendant import Attendant
from weyr.attempt.builder import Builder
from weyr.attempt.lease import Lease
from weyr.attempt.limits import Hierarchy, Limits
from weyr.attempt.logs import TaskLog
from weyr.attempt.measuring import Measure, memory_detail
from weyr.attempt.output import Output
from weyr.attempt.records import RETRY_S, empty, left_of_notice, record_end, remove_socket, request_in
from weyr.attempt.sandbox_status import status_of
from weyr.attempt.secret_files import remove_secret_files, write_secret_files
from weyr.attempt.spawn import Recruit, begun, bounds_of
from weyr.attempt.task_folder import BuildOrder, Order
from weyr.attempt.verdict import Outcome, Told, at_limit, contained, explained, judged, outcome_of

SWEEP_S = 10.0
"""How long the last processes may take to go after SIGKILL; only one stuck in the kernel takes longer."""
RESTORE_S = 600.0
TELL_END_S = 5.0
"""An end that is not heard is seen half a minute later; there is nothing left to do that could not wait."""


class Wrapper:
    """The life of one task. `run` is the order of it; `_turn` is the one place that waits."""

    def __init__(
        self, order: Order, trees: dict[str, Hierarchy], recruit: Recruit, output: int, renewals: int = -1
    ) -> None:
        self._order, self._folder = order, order["folder"]
        self.told: Told = verdict.told_to_end  # on whose behalf it is sent a SIGTERM; asked once the task is over
        self._recruit = recruit
        self._main = self._relay = 0
        self._status: int | None = None
        self._reason = self._detail = ""
        self._fate = container.Fate()
        self._cpu_s, self._memory_max = 0.0, 0
        self._notice_at: float | None = None
        self._started_at: float | None = None
        self._started = 0.0
        self._kill_at = self._reclaimed_at = float("inf")
        self._write_at = float("inf")
        self._oom = self._control = -1
        self._lease = Lease(order["lease_s"], renewals)
        self._stopped = False
        self._poll = select.poll()
        self._log = TaskLog(self._folder, order["masks"])
        self._output = Output(output, self._log, self._poll)
        self._builder: Builder | None = None
        self._agent = Attendant(order["agent"], order["env"], self._log, self._poll)
        memory, most = order["memory_bytes"], order["processes_max"]
        self._limits = Limits(order["group"], order["cpu"], memory, trees, most)
        self._measure = Measure(self._limits, memory, most, order["disk_bytes"], order["disk_folders"])

    def run(self) -> None:
        """Runs the task. Promises: whatever happens in here, no process of it is left and its end is recorded."""
        try:
            self._prepare()
            if self._order["agent"] and not self._reason:
                self._listen()
                self._restore()
            if self._order["build"] and not self._reason:
                self._listen()
                self._build(self._order["build"])
            if not self._reason:
                self._start()
            self._listen()
            while self._is_alive():
                self._turn()
        finally:
            try:
                self._sweep()
                self._output.drain()
                self._judge()
                self._finish_agent()
            finally:
                self._record()

    # --- the parts of a life, in order

    def _prepare(self) -> None:
        """What has to be done before the program runs, and no more: the rest is done beside it."""
        wake_out, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_stop("told", "", None))
        for fd in (wake_out, self._lease.renewals):
            if fd >= 0:
                self._poll.register(fd, select.POLLIN)
        self._read_requests()

    def _listen(self) -> None:
        """Makes the door for requests, and reads those that came before there was one."""
        if self._control >= 0 or self._reason:
            return
        path = os.path.join(self._folder, task_folder.CONTROL)
        try:
            os.mkfifo(path, 0o600)
            # Opened for both: the FIFO then never reports that its last writer went.
            self._control = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            self._poll.register(self._control, select.POLLIN)
        except OSError as e:
            # No room for it: whoever finds no FIFO sends a signal. The task must not end for that.
            self._log.say(f"there is no room for its control FIFO: {e.strerror}")
        self._read_requests()

    def _restore(self) -> None:
        """Starts the checkpoint agent, and waits until the checkpoint folder is as it should be."""
        error = self._agent.start()
        self._agent.kill_at = time.monotonic() + RESTORE_S
        while self._agent.is_restoring and self._agent.pid and not self._reason:
            self._turn()
        self._agent.kill_at = float("inf")
        if self._agent.is_restoring or error:
            # Without an answer nobody knows whether there is a checkpoint: to begin anew could lose one.
            detail = error or "its checkpoint could not be restored; its log says why"
            self._reason, self._detail = self._reason or "not started", self._detail or detail

    def _build(self, order: BuildOrder) -> None:
        """Waits for the Python environment that the program needs."""
        self._builder = builder = Builder(order, self._order["nice"], self._log, self._poll)
        while builder.pid and not self._reason:
            self._turn()
        if not builder.is_ready and not self._reason:
            self._reason, self._detail = "not started", builder.error

    def _start(self) -> None:
        order = self._order
        try:
            write_secret_files(order["secret_folder"], order["secret_files"])
            if order["socket"]:
                os.makedirs(os.path.dirname(order["socket"]), 0o700, exist_ok=True)
        except OSError as e:
            self._reason, self._detail = "not started", f"its secret files could not be written: {e.strerror}"
            self._log.say(self._detail)
            return
        self._oom = self._limits.out_of_memory_event()
        if self._oom >= 0:
            self._poll.register(self._oom, select.POLLIN)
        for note in order["notes"]:
            self._log.say(note)
        bounds = bounds_of(order, self._limits)
        argv = order["prefix"] + order["argv"]
        self._recruit, error = begun(self._recruit, self._output.fd, argv, order["workdir"], order["env"], bounds)
        self._started, self._started_at = time.monotonic(), time.time()
        if error:
            self._started_at = None
            self._reason, self._detail = "not started", error
            self._log.say(error)
            return
        self._main = self._recruit.pid
        if self._recruit.doors:
            self._relay = namespaces.relay(self._recruit.doors, order["doors"] or [], order["doors_at"])
        self._measure.begin(self._started)
        self._write_state()
        self._tell("started")

    def _group(self) -> int:
        """The process group that the program is in: in a sandbox not that of our child, who only watches over it and
        would take all of it along if it were signalled."""
        return (status_of(self._folder).init if self._order["prefix"] else 0) or self._main

    def _is_alive(self) -> bool:
        """Whether there is something to wait for. A shell may end at SIGTERM while what it started
        still saves its work: until the grace is over the whole process group counts."""
        if self._main and self._status is None:
            return True
        if not self._main or self._kill_at == float("inf") or time.monotonic() >= self._kill_at:
            return False
        group = self._group()
        return any(processes.group_of(pid) == group for pid in self._below())

    def _sweep(self) -> None:
        """Kills what is left of the task, daemons too: as subreaper we are the parent of them all."""
        self._kill_at = float("inf")
        if (order := self._order["container"]) and self._main:  # it may be no descendant of ours
            self._fate = container.finish(order, self._order["env"], self._status != 0, self._log.say)
        until = time.monotonic() + SWEEP_S
        while time.monotonic() < until:
            left = self._below() if self._reap() else []
            if not left:
                return
            processes.signal_all(left, signal.SIGKILL)
            self._turn(0.02)

    def _finish_agent(self) -> None:
        """Lets the agent save what the task left, until its bound or the node's end."""
        if self._agent.pid:
            bound_s = self._order["save_s"] if self._started_at else 1.0
            self._agent.finish(min(time.monotonic() + bound_s, self._reclaimed_at))
        while self._agent.pid:
            self._turn()

    def _record(self) -> None:
        self._judge()
        code, number, _ = self._outcome()
        try:
            remove_secret_files(self._order["secret_folder"])
        except OSError as e:
            self._log.say(f"its secret files could not be removed from {self._order['secret_folder']}: {e.strerror}")
        end = {
            "reason": self._reason,
            "exit_code": code,
            "signal": number,
            "detail": self._detail,
            "cpu_s": round(self._cpu_s, 6),
            "memory_max_bytes": self._limits.memory_max_bytes() or max(self._memory_max, self._measure.memory_max),
            "started_at": self._started_at,
            "ended_at": time.time(),
        }
        self._limits.remove()
        remove_socket(self._order["socket"])
        # The last deed: from here a task of the same name may begin.
        record_end(self._folder, end, self._log)
        self._tell("ended", TELL_END_S)

    def _outcome(self) -> Outcome:
        if self._order["container"]:
            return contained(self._status, self._folder, self._fate.has_begun)
        return outcome_of(self._status, self._folder, bool(self._order["prefix"]))

    def _judge(self) -> None:
        outcome = self._outcome()
        self._reason, self._detail = explained(self._reason, self._detail, outcome, self.told)
        if self._main and outcome.code != 0 and self._reason in ("", "stopped") and self._limits.out_of_memory_count():
            self._reason, self._detail = "out of memory", memory_detail(self._limits.memory_bytes)
        if inside := self._order["container"]:
            limits = (self._fate, inside["memory_bytes"])
            self._reason, self._detail = at_limit(self._reason, self._detail, outcome, *limits)
        if not self._reason:
            self._reason, self._detail = judged(outcome, self._order["disk_bytes"])

    # --- one turn of waiting

    def _turn(self, most_s: float | None = None) -> None:
        """Waits for the next thing to happen, at most until the next deadline, and sees to it."""
        now = time.monotonic()
        flood_s = self._output.rest_s()
        deadline = min(self._next_deadline(), now + flood_s if flood_s else float("inf"))
        wait_s = deadline - now if most_s is None else min(most_s, deadline - now)
        ready = self._poll.poll(None if wait_s == float("inf") else max(0, int(wait_s * 1000) + 1))
        for fd, event in ready:
            self._take(fd, event)
        self._reap()
        self._check(time.monotonic())

    def _next_deadline(self) -> float:
        deadline = min(self._kill_at, self._write_at, self._agent.kill_at if self._agent.pid else float("inf"))
        if not self._reason:
            deadline = min(deadline, time.monotonic() + self._lease.left_s)
        if self._main and self._status is None:
            if self._order["time_limit_s"] is not None and not self._reason:
                deadline = min(deadline, self._started + self._order["time_limit_s"])
            deadline = min(deadline, self._measure.at)
        return deadline

    def _take(self, fd: int, event: int) -> None:
        if fd == self._output.fd:
            if event & (select.POLLIN | select.POLLHUP):
                self._output.pump()
        elif self._builder and self._builder.output and fd == self._builder.output.fd:
            self._builder.output.pump()
        elif fd == self._control:
            empty(fd)
            self._read_requests()
        elif fd == self._agent.output:
            self._hear_agent()
        elif fd == self._lease.renewals:
            self._lease.hear(self._poll)
        elif fd == self._oom:
            empty(fd)
            self._end_for("out of memory", memory_detail(self._limits.memory_bytes))
        else:
            empty(fd)
            self._read_requests()  # the signal may mean that there are some, where no FIFO is or reaches this machine

    def _check(self, now: float) -> None:
        is_running = bool(self._main) and self._status is None
        limit_s = self._order["time_limit_s"]
        if is_running and limit_s is not None and not self._reason and now >= self._started + limit_s:
            self._ask_stop("timed out", f"it ran longer than its {limit_s:g} s", self._order["grace_s"])
        if is_running and now >= self._measure.at and any(excess := self._measure.excess(now, self._below())):
            self._end_for(*excess)
        if not self._reason and self._lease.left_s <= 0:
            self._agent.kill_at = now  # another attempt may have begun by now: no grace, and no last upload
            self._ask_stop("node lost", f"nobody renewed its lease of {self._lease.lasts_s:g} s", 0.0)
        if now >= self._kill_at:
            self._kill()
        if now >= self._write_at:
            self._write_state()
        self._agent.kill_if_due(now)

    def _end_for(self, reason: str, detail: str) -> None:
        """It passed a bound, and gets no grace."""
        self._reason, self._detail = reason, detail
        self._kill()

    # --- requests and signals

    def _read_requests(self) -> None:
        reclaim = request_in(self._folder, task_folder.RECLAIM, {"at": time.time(), "notice_s": 0.0}, self._log)
        if reclaim and self._notice_at is None:
            self._notice_at = float(reclaim["at"])
            left_s = left_of_notice(self._notice_at, float(reclaim["notice_s"]), time.time())
            self._log.say(f"the node is reclaimed in {left_s:.1f} s")
            self._reclaimed_at = time.monotonic() + left_s
            self._agent.kill_at = min(self._agent.kill_at, self._reclaimed_at)
            self.told = verdict.told_by_notice
            self._ask_stop(*verdict.told_by_notice(), left_s)
            self._write_state()
            self._tell("notice")
        stop = request_in(self._folder, task_folder.STOP, {"grace_s": self._order["grace_s"]}, self._log)
        if stop and not self._stopped:
            self._stopped = True
            self._ask_stop("stopped", "it was told to stop", float(stop["grace_s"]))

    def _ask_stop(self, reason: str, detail: str, grace_s: float | None) -> None:
        """SIGTERM now, SIGKILL after the grace. A second request can only shorten it."""
        if not self._reason:
            self._reason, self._detail = reason, detail
            if self._main and self._status is None:
                container.ask_to_end(self._order["container"] or {}, self._order["env"], self._group())
            self._agent.hurry()
        grace_s = self._order["grace_s"] if grace_s is None else grace_s
        self._kill_at = min(self._kill_at, time.monotonic() + grace_s)

    def _kill(self) -> None:
        self._kill_at = float("inf")  # done once; the sweep sees to what is left
        if self._main and self._status is None:
            processes.signal_group(self._main, signal.SIGKILL)
        processes.signal_all(self._below(), signal.SIGKILL)

    def _below(self) -> list[int]:
        return processes.descendants(os.getpid(), but=(self._agent.pid, self._relay))

    def _reap(self) -> bool:
        """Takes the exits of all children; False once there is no child left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._agent.pid:
                self._agent.ended()
                continue
            if self._builder and pid == self._builder.pid:
                self._builder.ended(status)
                continue
            if pid == self._relay:
                self._relay = 0
                continue
            self._cpu_s += usage.ru_utime + usage.ru_stime
            if self._limits.memory_by != "measuring":
                self._memory_max = max(self._memory_max, usage.ru_maxrss * 1024)
            if pid == self._main:
                self._status = status

    # --- output, the agent's reports, and ours

    def _hear_agent(self) -> None:
        events = self._agent.hear()
        if events:
            self._write_state()
        if "saved" in events:
            self._tell("saved")

    def _write_state(self) -> None:
        state = {
            "wrapper": os.getpid(),
            "pid": self._main,
            "relay": self._relay,
            "starttime": processes.start_ticks(self._main) if self._main and self._status is None else None,
            "started_at": self._started_at,
            "cpu_by": self._limits.cpu_by,
            "memory_by": self._limits.memory_by,
            "notice_at": self._notice_at,
            **self._agent.learnt(self._started_at),
        }
        self._write_at = float("inf")
        try:
            task_folder.write_json(self._folder, task_folder.STATE, state)
        except OSError:
            self._write_at = time.monotonic() + RETRY_S  # a full disk may cost a record its time, never the task

    def _tell(self, event: str, patience_s: float = 0.0) -> None:
        task_folder.tell(self._order["events"], self._order["id"], event, patience_s)
