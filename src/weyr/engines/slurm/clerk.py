"""Who talks to Slurm? One thread, so that nobody else waits for it: it submits, cancels and looks, each in its turn.

What was asked of it lies in submissions' folders, not in here: a clerk that is begun anew finds what the one before
left undone. Before it submits what may have been submitted already, it looks for it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from weyr.attempt import task_folder
from weyr.engines.slurm import submission_folder
from weyr.engines.slurm.answers import ENDED, JobRow
from weyr.engines.slurm.commands import Slurm, SlurmRefused, SlurmSilent
from weyr.engines.slurm.site_nodes import SiteNode
from weyr.engines.slurm.submission_folder import ASKED, HOLD, JOB, RING, SCRIPT

RETRY_S = 2.0
RING_S = 0.25
CHECK_S = 0.3
"""How long after it was submitted a job is first looked for, and how soon after a start or an end again."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What squeue said of every job of ours, asked at `asked_at` (monotonic seconds)."""

    asked_at: float
    rows: tuple[JobRow, ...]
    nodes: tuple[SiteNode, ...] | None = None
    """What sinfo said right after it; None where nobody wanted to know."""


@dataclass(slots=True)
class _Desk:
    """What there is to do. Guarded by the clerk's lock."""

    submit: dict[str, float] = field(default_factory=dict)
    """Submissions without a number yet, and when to try (monotonic)."""
    cancel: set[str] = field(default_factory=set)
    nudge: set[str] = field(default_factory=set)
    account: set[str] = field(default_factory=set)
    look_at: float = 0.0


class Clerk:
    """Takes `root`, the folder of submissions, and `mark`, what comments of ours begin with. `refused` is called with a
    submission and what Slurm said to it; `changed` after a look that saw something new of jobs, `nodes_changed` of
    nodes. All from its thread."""

    def __init__(
        self,
        slurm: Slurm,
        root: Path,
        mark: str,
        look_s: float,
        refused: Callable[[str, str], None],
        changed: Callable[[], None],
        nodes_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._slurm, self._root, self._mark, self._look_s = slurm, root, mark, look_s
        self._refused, self._changed, self._nodes_changed = refused, changed, nodes_changed
        self.patience_s = 2 * look_s + 2.0
        """An answer that is older is no answer."""
        self._desk = _Desk()
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._is_over = False
        self._queue: Queue | None = None
        self._jobs: dict[str, str] = {}
        self._submitted_at: dict[str, float] = {}
        self._accounts: dict[str, list[JobRow]] = {}
        self.trouble = ""
        self.is_watching_nodes = False
        """Whether anybody has a use for what sinfo says; on a large site that is much."""
        self._rung_at = 0.0
        self._thread = threading.Thread(target=self._work, name="slurm-clerk", daemon=True)

    def start(self, unfinished: Iterable[str]) -> None:
        """Begins, with what was left without a number."""
        self._desk.submit = dict.fromkeys(unfinished, 0.0)
        self._thread.start()

    def close(self) -> None:
        """Ends after the call it is at."""
        self._is_over = True
        self._bell.set()
        self._thread.join()

    # --- what others ask; none of it waits

    @property
    def queue(self) -> Queue | None:
        """The newest answer, None before there was one."""
        return self._queue

    def submit(self, key: str) -> None:
        with self._lock:
            self._desk.submit.setdefault(key, 0.0)
        self._bell.set()

    def cancel(self, job: str) -> None:
        with self._lock:
            self._desk.cancel.add(job)
        self._bell.set()

    def nudge(self, job: str) -> None:
        with self._lock:
            self._desk.nudge.add(job)
        self._bell.set()

    def look_soon(self) -> None:
        with self._lock:
            self._desk.look_at = min(self._desk.look_at, time.monotonic() + CHECK_S)
        self._bell.set()

    def job_of(self, key: str) -> tuple[str, float]:
        """A submission's job, "" while it has none, and since when it was known to be one (monotonic)."""
        if key not in self._jobs:
            job = submission_folder.job_of(self._root / key)
            if not job:
                return "", 0.0
            self._jobs[key] = job
        return self._jobs[key], self._submitted_at.get(key, 0.0)

    def accounts(self, job: str) -> list[JobRow] | None:
        """What accounting says of a job that squeue has forgotten; None while it was not asked."""
        if job in self._accounts:
            return self._accounts[job]
        with self._lock:
            self._desk.account.add(job)
        self._bell.set()
        return None

    def forget(self, key: str) -> None:
        self._accounts.pop(self._jobs.get(key, ""), None)
        self._jobs.pop(key, None)
        self._submitted_at.pop(key, None)

    # --- its thread

    def _work(self) -> None:
        while not self._is_over:
            self._bell.wait(max(0.0, min(RING_S, self._next() - time.monotonic())))
            self._bell.clear()
            self._hear_ring()
            if self._next() > time.monotonic():
                continue
            try:
                self._turn()
                self.trouble = ""
            except (SlurmSilent, SlurmRefused, OSError, ValueError) as e:
                self.trouble = str(e)
                self._look_later()
            except Exception as e:  # noqa: BLE001 - nobody else talks to Slurm: this thread outlives its own mistakes
                self.trouble = f"a mistake of Weyr's own: {e!r}"
                self._look_later()

    def _look_later(self) -> None:
        silent_s = time.monotonic() - self._queue.asked_at if self._queue else float("inf")
        if silent_s > self.patience_s:
            task_folder.ring(str(self._root.parent / HOLD))
        with self._lock:
            self._desk.look_at = time.monotonic() + RETRY_S

    def _hear_ring(self) -> None:
        """One look at one file; nodes have no other way to a server that listens on its own machine only."""
        try:
            rung_at = (self._root.parent / RING).stat().st_mtime
        except OSError:
            return
        if rung_at != self._rung_at:
            self._rung_at = rung_at
            self._changed()

    def _next(self) -> float:
        with self._lock:
            if self._desk.cancel or self._desk.nudge or self._desk.account:
                return 0.0 if not self.trouble else time.monotonic() + RETRY_S
            return min([self._desk.look_at, *self._desk.submit.values()])

    def _turn(self) -> None:
        """Everything that is due, once. Raises: SlurmSilent; what was not done stays on the desk."""
        now = time.monotonic()
        with self._lock:
            due = [key for key, at in self._desk.submit.items() if at <= now]
            nudged, cancelled = sorted(self._desk.nudge), sorted(self._desk.cancel)
            is_look_due = self._desk.look_at <= now
        trouble: Exception | None = None
        for key in due:
            try:
                self._submit(key)
            except (SlurmSilent, OSError, ValueError) as e:
                trouble = e
                self._desk.submit[key] = time.monotonic() + RETRY_S
        for jobs, tell, desk in (
            (nudged, self._slurm.nudge, self._desk.nudge), (cancelled, self._slurm.cancel, self._desk.cancel)
        ):  # fmt: skip
            if jobs:
                tell(jobs)
                with self._lock:
                    desk.difference_update(jobs)
                    self._desk.look_at = min(self._desk.look_at, time.monotonic() + CHECK_S)
        for job in sorted(self._desk.account):
            self._accounts[job] = self._slurm.accounts([job])
            with self._lock:
                self._desk.account.discard(job)
            self._changed()
        if is_look_due:
            self._look()
        if trouble:
            raise SlurmSilent(str(trouble)) from trouble

    def _submit(self, key: str) -> None:
        """Makes a job of a submission, unless it is one already. Raises: SlurmSilent, OSError."""
        folder = self._root / key
        members = submission_folder.read(folder)
        if members is None or self.job_of(key)[0]:
            self._settle(key)
            return
        job = ""
        if (folder / ASKED).exists():
            # Asked before, and the answer was lost: with us, or on its way.
            job = next((row.job.partition("_")[0] for row in self._ask() if row.comment == members["comment"]), "")
        if not job:
            (folder / ASKED).touch(mode=0o600)
            try:
                job = self._slurm.submit((folder / SCRIPT).read_text())
            except SlurmRefused as e:
                self._refused(key, str(e))
                self._settle(key)
                return
        self._submitted_at[key] = time.monotonic()
        task_folder.write_json(str(folder), JOB, {"job": job}, is_durable=True)
        self._settle(key)
        with self._lock:
            self._desk.look_at = min(self._desk.look_at, time.monotonic() + CHECK_S)

    def _settle(self, key: str) -> None:
        with self._lock:
            self._desk.submit.pop(key, None)

    def _look(self) -> None:
        before = self._queue
        self._ask()
        assert self._queue is not None
        is_new = before is None or _story(before) != _story(self._queue)
        with self._lock:
            self._desk.look_at = time.monotonic() + (min(1.0, self._look_s) if is_new else self._look_s)
        if is_new:
            self._changed()
        if before is None or before.nodes != self._queue.nodes:
            self._nodes_changed()

    def _ask(self) -> tuple[JobRow, ...]:
        asked_at = time.monotonic()
        rows = tuple(row for row in self._slurm.queue() if row.comment.startswith(self._mark))
        nodes = tuple(self._slurm.nodes()) if self.is_watching_nodes else None
        self._queue = Queue(asked_at, rows, nodes)
        return rows


def _story(queue: Queue) -> set[tuple[str, bool, str]]:
    return {(row.job, row.state in ENDED, row.state) for row in queue.rows}
