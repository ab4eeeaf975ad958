"""How does a Slurm cluster run tasks? As jobs whose members keep their task folders on a file system that nodes share.

What a member records is true as it stands; Slurm is asked for what no member can record: that a job waits, was
cancelled before it began, or lost its node. An answer that is too old is no answer.
"""

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from weyr.attempt import sandbox, task_folder
from weyr.attempt.cluster_nodes import ClusterNode
from weyr.attempt.host import Serving
from weyr.attempt.ranks import placed
from weyr.attempt.task_folder import BEGUN, EXIT, STATE, STOP, WANTED, Order
from weyr.attempt.testimony import end_in, record_or_nothing
from weyr.core.capability import Refused, TaskBody
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskFacts, TaskState
from weyr.engines.slurm import submission_folder
from weyr.engines.slurm.answers import ENDED, JobRow, JobState
from weyr.engines.slurm.clerk import Clerk, Queue
from weyr.engines.slurm.commands import Slurm
from weyr.engines.slurm.endings import ENDS, wait_s_of
from weyr.engines.slurm.ours import ours
from weyr.engines.slurm.script import LEAVE_S, Need, Submission, arrays_of, need_of, script_of
from weyr.engines.slurm.settings import POWERS, SlurmSettings
from weyr.engines.slurm.site_nodes import cluster_nodes
from weyr.engines.slurm.submission_folder import Member, Members

WAKE_S = 2.0
"""A job is told of a request at most so often, however often the loop says it again."""


class SlurmHost:
    """One Slurm cluster, as a `weyr.attempt.host.Host`. Takes `root`, a folder that every node has at this path;
    `surroundings` for every task; and `changed` and `nodes_changed`, called from another thread when something was seen
    to have changed. `name_of` gives Slurm's name of a node that the scheduler chose, "" where it is in no pool."""

    address = ""
    powers = POWERS

    def __init__(
        self,
        slurm: Slurm,
        root: Path,
        settings: Callable[[], SlurmSettings],
        python: str,
        surroundings: Callable[[], Mapping[str, str]],
        now: Callable[[], float],
        changed: Callable[[], None],
        nodes_changed: Callable[[], None] = lambda: None,
        name_of: Callable[[str], str] = lambda node: "",
    ) -> None:
        self.python = python
        self._root, self._settings, self._surroundings, self._now = root, settings, surroundings, now
        self._mark = f"weyr:{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}:"
        self._changed, self._name_of = changed, name_of
        self._woken: dict[ThingId, float] = {}
        self._over_since: dict[ThingId, float] = {}
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clerk = Clerk(slurm, root, self._mark, settings().look, self._refused, changed, nodes_changed)

    @property
    def lease_s(self) -> float:
        return self._settings().lease

    def begin(self) -> None:
        """From here on Slurm is asked, and what a server before this one left undone is done."""
        self._clerk.start(self._unfinished())

    def close(self) -> None:
        self._clerk.close()

    # --- starting

    def refusal(self, body: TaskBody) -> str:
        need = need_of(body, self._settings())
        return need.reason if isinstance(need, Refused) else sandbox.unfit(body)

    def has_node(self, name: str) -> bool:
        return bool(self._name_of(name))

    def folder_of(self, folder: Path) -> str:
        return str(folder)

    def surroundings(self) -> Mapping[str, str]:
        doors = self._settings().doors
        found = dict(self._surroundings())
        return {name: value.replace("//127.0.0.1:", f"//{doors}:") for name, value in found.items()} if doors else found

    def start(self, orders: Sequence[Order]) -> list[str]:
        """As `Host.start`: durably in line for the clerk. Gangs are submitted whole, tasks of equal needs as arrays."""
        gangs: dict[str, list[int]] = {}
        single: list[int] = []
        for index, order in enumerate(orders):
            if order["ranks"]["size"] > 1:
                gangs.setdefault(order["ranks"]["name"], []).append(index)
            else:
                single.append(index)
        needs = [self._need(order) for order in orders]
        arrays = [[single[i] for i in group] for group in arrays_of([needs[i] for i in single])]
        answers = [""] * len(orders)
        for group, is_gang in [*((g, True) for g in gangs.values()), *((a, False) for a in arrays)]:
            mine = sorted(group, key=lambda i: orders[i]["ranks"]["rank"])
            try:
                need = replace(needs[mine[0]], node=",".join(sorted({needs[i].node for i in mine} - {""})))
                self._put([orders[i] for i in mine], need, is_gang)
            except OSError as e:
                answers = [str(e) if i in group else answer for i, answer in enumerate(answers)]
        return answers

    def _need(self, order: Order) -> Need:
        wanted = task_folder.read_json(order["folder"], WANTED) or {}
        body = from_plain(TaskBody, wanted["body"])
        need = need_of(body, self._settings())
        assert isinstance(need, Need), f"{order['id']} was refused before"
        return replace(need, node=self._name_of(body.node)) if body.node else need

    def _put(self, orders: list[Order], need: Need, is_gang: bool) -> None:
        """Writes a submission down, claims its members' starts, and hands it to the clerk. Raises: OSError."""
        size = orders[0]["ranks"]["size"]
        if is_gang and len(orders) < size:
            raise OSError(f"only {len(orders)} of the gang's {size} members are here")
        comment = f"{self._mark}{len(orders)}:{orders[0]['id']}@{orders[0]['generation']}"
        key = submission_folder.key_of(comment)
        folder = self._root / key
        # One that is there already was not handed on: its first member would have been claimed. Its orders hold
        # credentials that are void by now.
        shutil.rmtree(folder, ignore_errors=True)
        members = Members(
            comment=comment,
            is_gang=is_gang,
            members=[Member(id=order["id"], folder=order["folder"]) for order in orders],
        )
        name = ThingId.parse(orders[0]["id"])
        submission = Submission(f"{name.ref.stack}/{name.ref.name}", comment, str(folder), len(orders), is_gang, need)
        addresses = [submission_folder.address_of(rank) for rank in range(size)]
        orders = [placed(order, addresses) for order in orders]
        submission_folder.write(folder, members, orders, script_of(submission, self._settings(), self.python))
        self._claim_starts(key, members)
        self._clerk.submit(key)

    def _claim_starts(self, key: str, members: Members) -> bool:
        """Whether every member was claimed for this submission; one that was released meanwhile is not."""
        is_whole = True
        for index, member in enumerate(members["members"]):
            mine = {"submission": key, "index": index}
            if not task_folder.begin(member["folder"], mine):
                begun = record_or_nothing(member["folder"], BEGUN)
                is_whole = is_whole and begun.get("submission") == key
        return is_whole

    def _unfinished(self) -> list[str]:
        """Submissions that a server before this one left without a job's number; those that nobody claimed go."""
        found = []
        for folder in sorted(self._root.iterdir()):
            members = submission_folder.read(folder)
            if folder.name.startswith(".") or members is None:
                shutil.rmtree(folder, ignore_errors=True)  # a write that was cut off
                continue
            if submission_folder.job_of(folder):
                continue
            begun = [record_or_nothing(each["folder"], BEGUN).get("submission") for each in members["members"]]
            if folder.name not in begun:
                shutil.rmtree(folder, ignore_errors=True)
            elif members["is_gang"] and not self._claim_starts(folder.name, members):
                self._refused(folder.name, "a member of its gang was released before all had begun")
            else:
                found.append(folder.name)
        return found

    def _refused(self, key: str, why: str) -> None:
        """Slurm will not have it: that is the end of all its members."""
        members = submission_folder.read(self._root / key)
        for member in members["members"] if members else ():
            if record_or_nothing(member["folder"], BEGUN).get("submission") == key:
                self._record(Path(member["folder"]), EndReason.REFUSED, f"sbatch: {why}")
        self._changed()

    # --- looking

    def end_of_silent(self, id: ThingId, folder: Path, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        key, index = self._place(folder)
        job, since = self._clerk.job_of(key)
        if not job:
            return end_in(folder)
        queue = self._fresh()
        row = _row_of(queue, job, index)
        if row is None and queue.asked_at <= since:
            return None  # it was looked for before it was there
        state = row.state if row else self._forgotten(job, index)
        if state not in ENDED:
            self._over_since.pop(id, None)
            return None
        began = (self._root / key / _run_name(self._root / key, index)).exists()
        seen_at = self._over_since.setdefault(id, time.monotonic())
        wait_s = wait_s_of(state, self._settings())
        left_s = wait_s - (time.monotonic() - seen_at) if began else 0.0
        if left_s > 0:
            # Its record may be on its way: a file system that nodes share is not the same everywhere at once.
            timer = threading.Timer(left_s + 0.05, self._changed)
            timer.daemon = True
            timer.start()
            return end_in(folder)
        end = end_in(folder)
        if end is None and row is None and began:
            _refuse_living(folder, job)
        if end is None:
            reason, detail = ENDS[JobState.PREEMPTED if row and row.is_preempted else state]
            self._record(folder, reason, detail.format(job=job))
        return end_in(folder)

    def place_of(self, folder: Path) -> tuple[str, str]:
        """Why a task waits, and which nodes its job has, as Slurm says; "" for what is not known."""
        queue = self._clerk.queue
        begun = record_or_nothing(folder, BEGUN)
        if queue is None or "submission" not in begun:
            return "", ""
        job, _ = self._clerk.job_of(str(begun["submission"]))
        if not job:
            return f"it is being submitted to Slurm{_because(self._clerk.trouble)}", ""
        row = _row_of(queue, job, int(begun["index"]))
        if row is None:
            return "", ""
        is_waiting = row.state is JobState.PENDING
        return f"Slurm's job {row.job} waits: {row.reason or 'no reason given'}" if is_waiting else "", row.nodes

    def nodes(self) -> dict[str, ClusterNode]:
        """Those of the partition for jobs that keep their nodes. Raises: EngineSilent."""
        self._clerk.is_watching_nodes = True
        try:
            queue = self._fresh()
        except OSError as e:
            raise EngineSilent(str(e)) from e
        if queue.nodes is None:
            self._clerk.look_soon()
            raise EngineSilent("sinfo has not answered yet")
        return cluster_nodes(queue.nodes, self._settings().partition, ours(queue.rows, self._root, self._name_of))

    def _forgotten(self, job: str, index: int) -> JobState:
        """Of a job that squeue does not list any more. Raises: OSError while accounting has not answered."""
        rows = self._clerk.accounts(job)
        if rows is None:
            raise OSError(f"squeue does not list job {job}, and sacct has not answered yet")
        return next((row.state for row in rows if row.index in (None, index)), JobState.OVER)

    def absence(self, id: ThingId, folder: Path) -> Seen:
        """As `Host.absence`: neither the folder nor the queue has it."""
        for row, stranger, generation in self._strangers():
            if stranger == id:
                state = TaskState.STARTING if row.state is JobState.PENDING else TaskState.RUNNING
                return Present(TaskFacts(state, started_at=row.started_at, node=row.nodes), generation)
        if folder.is_dir():
            shutil.rmtree(folder)
        return Absent()

    def strangers(self) -> Sequence[ThingId]:
        try:
            return [id for _, id, _ in self._strangers()]
        except OSError as e:
            raise EngineSilent(str(e)) from e

    def _strangers(self) -> list[tuple[JobRow, ThingId, int]]:
        """Jobs with our mark whose submission is not here, each under the id of its first task. Raises: OSError."""
        found = []
        for row in self._fresh().rows:
            if row.state not in ENDED and not (self._root / submission_folder.key_of(row.comment)).is_dir():
                name, _, generation = row.comment.removeprefix(self._mark).partition(":")[2].rpartition("@")
                try:
                    found.append((row, ThingId.parse(name), int(generation)))
                except ValueError:
                    continue  # somebody changed its comment: there is no telling whose it is
        return found

    def ready(self, serving: Serving) -> set[str]:
        return set()

    # --- ending

    def wake(self, id: ThingId, folder: Path) -> None:
        """A job that waits is cancelled, one that runs is nudged, one that does not end in its time is cancelled."""
        key, index = self._place(folder)
        job, _ = self._clerk.job_of(key)
        queue = self._clerk.queue
        row = _row_of(queue, job, index) if queue else None
        if not job or row is None or row.state in ENDED or time.monotonic() - self._woken.get(id, -WAKE_S) < WAKE_S:
            self._clerk.look_soon()
            return
        self._woken[id] = time.monotonic()
        stop = task_folder.read_json(str(folder), STOP)
        # What Slurm said last may be older than its beginning: one that began is not cancelled, but told.
        is_waiting = row.state is JobState.PENDING and not (folder / STATE).exists()
        if is_waiting or (stop and self._is_late(folder, stop)):
            self._clerk.cancel(row.job)
        else:
            self._clerk.nudge(row.job)

    def _is_late(self, folder: Path, stop: Mapping[str, Any]) -> bool:
        asked_at = (folder / STOP).stat().st_mtime
        return self._now() > asked_at + float(stop.get("grace_s", 0.0)) + LEAVE_S

    def remove(self, id: ThingId, folder: Path) -> None:
        """The last member takes its submission along, and a job that nobody needs any more."""
        self._woken.pop(id, None)
        self._over_since.pop(id, None)
        begun = record_or_nothing(folder, BEGUN)
        key = str(begun.get("submission", ""))
        members = submission_folder.read(self._root / key) if key else None
        if members is None:
            return
        if any(Path(each["folder"]).is_dir() for each in members["members"] if each["id"] != str(id)):
            return
        job, _ = self._clerk.job_of(key)
        queue = self._clerk.queue
        if job and queue and any(_is_of(row, job) and row.state is JobState.PENDING for row in queue.rows):
            self._clerk.cancel(job)
        self._clerk.forget(key)
        shutil.rmtree(self._root / key)

    def release_stranger(self, id: ThingId) -> None:
        for row, stranger, _ in self._strangers():
            if stranger == id:
                self._clerk.cancel(row.job)

    # --- what it knows

    def _place(self, folder: Path) -> tuple[str, int]:
        """A claimed task's submission, and its place in it. Raises: OSError."""
        begun = record_or_nothing(folder, BEGUN)
        if "submission" not in begun:
            raise OSError("its claim does not say which submission it is of")
        return str(begun["submission"]), int(begun["index"])

    def _fresh(self) -> Queue:
        """The queue as it was a moment ago. Raises: OSError where Slurm is silent."""
        queue = self._clerk.queue
        if queue is None:
            raise OSError(f"Slurm has not answered yet{_because(self._clerk.trouble)}")
        silent_s = time.monotonic() - queue.asked_at
        if silent_s > self._clerk.patience_s:
            raise OSError(f"Slurm has not answered for {silent_s:.0f} s{_because(self._clerk.trouble)}")
        return queue

    def _record(self, folder: Path, reason: EndReason, detail: str) -> None:
        """An end that nobody else will record; never over one that is there."""
        if end_in(folder) is None:
            end = {"reason": reason.value, "exit_code": None, "signal": None, "detail": detail, "ended_at": self._now()}
            task_folder.write_json(str(folder), EXIT, end, is_durable=True)


def _refuse_living(folder: Path, job: str) -> None:
    """slurmctld may have forgotten what it did last before it was killed. Raises: OSError while the wrapper lives."""
    lock = task_folder.lock(str(folder))
    if lock is None:
        raise OSError(f"Slurm knows nothing of job {job} any more, and its wrapper runs")
    os.close(lock)


def _because(trouble: str) -> str:
    return f": {trouble}" if trouble else ""


def _row_of(queue: Queue, job: str, index: int) -> JobRow | None:
    """A member's row: its element's in an array, else the job's."""
    return next((row for row in queue.rows if row.job in (job, f"{job}_{index}")), None)


def _is_of(row: JobRow, job: str) -> bool:
    return row.job.partition("_")[0] == job


def _run_name(folder: Path, index: int) -> str:
    """The claim that says that a member has begun."""
    return "run" if os.path.exists(folder / "run") else f"run-{index}"
