"""How does an engine run tasks? As folders: what it knows of a task, it reads from there.

No verb waits for a task. A host starts wrappers, wrappers record what happens, and where no exit is recorded the host
says whether one still can come.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt import task_folder
from weyr.attempt.archive import Archive
from weyr.attempt.cluster_nodes import ClusterNodes
from weyr.attempt.host import Host
from weyr.attempt.logs import follow_log, read_log
from weyr.attempt.orders import CredentialIssuer, OrderMaker, SecretReader, new_of
from weyr.attempt.shipped_files import CannotShip
from weyr.attempt.shipping import SHIPPED_FOLDER, Snapshots
from weyr.attempt.task_folder import BEGUN, EXIT, RECLAIM, STATE, STOP, WANTED, Order
from weyr.attempt.testimony import UNUSABLE, claim_in, end_in, facts_of, record_or_nothing, tasks_named
from weyr.core.capability import Answers, Capability, Refused, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import from_plain, to_plain
from weyr.core.seen import Absent, Present, Seen, TaskFacts, TaskState, Unknown


class Tasks:
    """The TASKS capability of one host, a Provider.

    Takes the folder of tasks; `sockets`, a folder with a short path for what serving tasks listen on;
    `cache`, where model servers may keep files; `events`, a datagram socket that is told of starts and ends; `nodes`,
    those that the host has for pools, where it has some.
    """

    capability = Capability.TASKS

    def __init__(
        self,
        folder: Path,
        host: Host,
        sockets: Path,
        cache: Path,
        credentials: CredentialIssuer,
        secrets: SecretReader,
        now: Callable[[], float],
        events: Path | None = None,
        nodes: ClusterNodes | None = None,
    ) -> None:
        self._folder, self._host, self._now = folder, host, now
        self.nodes = nodes
        self._credentials = credentials
        for path in (folder, sockets, cache):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._orders = OrderMaker(host, sockets, cache, credentials, secrets, events)
        self._archive = Archive(folder / ".archive")
        self._snapshots = Snapshots(folder / SHIPPED_FOLDER, (folder, folder.parent, cache.parent))
        self._ended: dict[ThingId, Present] = {}
        for left in folder.glob(".new-*"):
            shutil.rmtree(left, ignore_errors=True)  # a claim that a crash cut off before it counted

    # --- the four verbs

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`. A task whose wrapper died is ended first, and then seen as lost."""
        seen: dict[ThingId, Seen] = {}
        serving: dict[str, tuple[str, str]] = {}
        for id in ids:
            try:
                seen[id] = self._look(id, serving)
            except UNUSABLE as e:
                seen[id] = Unknown(f"the task's folder cannot be read: {e}")
        self._note_ends(seen)
        ready = self._host.ready(serving) if serving else set()
        return {id: _with_readiness(found, str(id) in ready) for id, found in seen.items()}

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """As `Provider.ensure`: every id is started at most once, whatever dies in between. One whose folder
        cannot be used keeps no other waiting. Raises: EngineSilent where the host cannot be reached."""
        orders, answers = self._accept(wanted)
        failures = self._host.start([*orders.values()]) if orders else []
        failed = {id: failure for id, failure in zip(orders, failures, strict=True) if failure not in ("", "already")}
        return answers | {id: Unknown(failure) for id, failure in failed.items()}

    def release(self, ids: Sequence[ThingId]) -> Answers:
        """As `Provider.release`: a running task is stopped with its grace; an ended one is cleared away and
        its logs are archived. Said again until it is absent."""
        over: dict[ThingId, Path] = {}
        answers: dict[ThingId, Unknown] = {}
        for id in ids:
            try:
                if self._is_over(id, self._of(id)):
                    over[id] = self._of(id)
            except UNUSABLE as e:
                answers[id] = Unknown(f"it cannot be released: {e}")
        self._credentials.revoke([_principal(id) for id in over if id not in self._ended])
        for id, folder in over.items():
            try:
                self._clear(id, folder)
            except UNUSABLE as e:
                answers[id] = Unknown(f"it cannot be cleared away: {e}")
        return answers

    def inventory(self) -> Sequence[ThingId]:
        """As `Provider.inventory`. Raises: EngineSilent."""
        try:
            claimed = self.claimed()
        except OSError as e:
            raise EngineSilent(f"the folder of tasks cannot be read: {e}") from e
        return list(dict.fromkeys([*claimed, *self._host.strangers()]))

    def claimed(self) -> list[ThingId]:
        """The attempts that have a folder here. Raises: OSError."""
        return tasks_named(os.listdir(self._folder))

    # --- what this engine offers beside the verbs

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        """Announces that the task's spot node goes away in `notice_s`, and then takes it away for real.

        Gives False where no such task runs. Raises: OSError.
        """
        folder = self._of(id)
        if not (folder / BEGUN).exists() or (folder / EXIT).exists():
            return False
        if not (folder / RECLAIM).exists():
            task_folder.write_json(str(folder), RECLAIM, {"at": self._now(), "notice_s": notice_s})
        self._host.wake(id, folder)
        return True

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """A task's output, live or archived, from its last `tail` lines on.

        Following ends with the task; b"" says that nothing is new just now, so that the caller decides how to wait.
        Raises: FileNotFoundError where there is no log of such a task, or no longer.
        """
        if not self._logs_of(id).is_dir():
            raise FileNotFoundError(f"there is no log of {id}")
        text, name, position = read_log(str(self._logs_of(id)), tail)
        yield text
        if not follow:
            return
        is_over = False
        for more in follow_log(lambda: str(self._logs_of(id)), name, position):
            if is_over and not more:
                return
            # Asked before the next read, not after this one: its last lines come before its exit's record.
            is_over = (self._of(id) / EXIT).exists() or not self._of(id).is_dir()
            if more or not is_over:
                yield more

    def address_of(self, id: ThingId) -> str:
        """Where a task that answers requests listens, once it runs."""
        return self._orders.socket_of(self._of(id))

    def _logs_of(self, id: ThingId) -> Path:
        """Where its log lies now: with the task, or in the archive once it is gone."""
        folder = self._of(id)
        return folder if folder.is_dir() else self._archive.logs_of(folder.name)

    def node_of(self, id: ThingId) -> str:
        """The node that a task was given, "" for none, or where nobody knows."""
        try:
            claim = claim_in(self._of(id))
        except UNUSABLE:
            return ""
        return str(claim["body"]["node"]) if claim else ""

    def tasks_of(self, ref: Ref) -> list[ThingId]:
        """Every task that the object has or had, live or archived; those that ended last, and live ones, at the end."""
        ids = tasks_named([*self._archive.names(), *os.listdir(self._folder)])
        # By where it stands last: an object that was made anew counts its attempts from one again.
        return [id for id in reversed(dict.fromkeys(reversed(ids))) if id.ref == ref]

    # --- observing

    def _of(self, id: ThingId) -> Path:
        return self._folder / _folder_name(str(id))

    def _look(self, id: ThingId, serving: dict[str, tuple[str, str]]) -> Seen:
        """What is known of a task; a serving one is put on the list of those to be asked."""
        if id in self._ended:
            return self._ended[id]
        folder = self._of(id)
        wanted = claim_in(folder)
        if wanted is None:
            return self._host.absence(id, folder)
        generation, socket = int(wanted["generation"]), str(wanted["socket"])
        where: dict[str, Any] = {"node": wanted["body"]["node"], "devices": tuple(wanted["body"]["devices"])}
        if not (folder / BEGUN).exists():
            return Present(TaskFacts(TaskState.STARTING, address=socket, **where), generation)
        end = end_in(folder) or self._host.end_of_silent(id, folder, wanted)
        state = record_or_nothing(folder, STATE) if end else task_folder.read_json(str(folder), STATE) or {}
        facts = replace(facts_of(state, end, socket, wanted.get("ports", ())), **where)
        if not end and socket and facts.state is TaskState.RUNNING:
            serving[str(id)] = (socket, str(wanted["body"]["probe"]))
        return Present(facts, generation)

    def _note_ends(self, seen: Mapping[ThingId, Seen]) -> None:
        """Takes the credentials of tasks that are seen ended for the first time, and need not be looked at again."""
        ends = {
            id: found
            for id, found in seen.items()
            if isinstance(found, Present) and _has_ended(found) and id not in self._ended
        }
        self._credentials.revoke([_principal(id) for id in ends])
        self._ended |= ends

    # --- ensuring

    def _accept(self, wanted: Sequence[Wanted]) -> tuple[dict[ThingId, Order], dict[ThingId, Refused | Unknown]]:
        """Claims tasks durably; gives the orders of those to start now, and why others cannot be.
        Raises: EngineSilent."""
        orders: dict[ThingId, Order] = {}
        answers: dict[ThingId, Refused | Unknown] = {}
        fresh: list[tuple[Wanted, TaskBody, Path]] = []
        for want in wanted:
            assert isinstance(want.body, TaskBody), f"{want.id} is no task"
            try:
                answer: Refused | Unknown | bool = self._known(want, want.body, self._of(want.id))
                if answer is False and want.body.node and not self._host.has_node(want.body.node):
                    answer = Unknown("its node is gone")
                if answer is False and want.body.ship:
                    answer = self._ship(want, want.body, self._of(want.id)) or False
            except UNUSABLE as e:
                answer = Unknown(f"the task's folder cannot be used: {e}")
            if isinstance(answer, Refused | Unknown):
                answers[want.id] = answer
            elif not answer:
                fresh.append((want, want.body, self._of(want.id)))
        for (want, body, folder), order in zip(fresh, self._ordered(fresh), strict=True):
            if isinstance(order, Refused):
                answers[want.id] = order
                shutil.rmtree(new_of(folder), ignore_errors=True)
                continue
            try:
                if task_folder.read_json(str(folder), WANTED) is None:
                    self._claim(want, body, folder, order)
                orders[want.id] = order
            except UNUSABLE as e:
                answers[want.id] = Unknown(f"the task's folder cannot be used: {e}")
        return orders, answers

    def _ordered(self, fresh: Sequence[tuple[Wanted, TaskBody, Path]]) -> Sequence[Order | Refused]:
        """All together: each change of who may call is written down whole. Raises: EngineSilent."""
        try:
            return self._orders.make(fresh)
        except (OSError, ValueError) as e:
            raise EngineSilent(f"tasks cannot be ordered: {e}") from e

    def _known(self, want: Wanted, body: TaskBody, folder: Path) -> Refused | bool:
        """Whether the task was started, or stopped, before; or why it cannot be what is wanted now."""
        prior = task_folder.read_json(str(folder), WANTED)
        if prior is None:
            return False
        refused = self._compare(want, body, folder, prior)
        return refused or (folder / BEGUN).exists() or (folder / STOP).exists()

    def _compare(self, want: Wanted, body: TaskBody, folder: Path, prior: dict[str, Any]) -> Refused | None:
        if want.generation < prior["generation"]:
            return Refused(f"generation {want.generation} is older than {prior['generation']}, which is here already")
        if want.generation == prior["generation"]:
            return None
        if from_plain(TaskBody, prior["body"]) != body:
            return Refused("a task that was started cannot be changed; release it and start another")
        task_folder.write_json(str(folder), WANTED, prior | {"generation": want.generation})
        self._ended.pop(want.id, None)
        return None

    def _ship(self, want: Wanted, body: TaskBody, folder: Path) -> Refused | None:
        """Lays its files out where its folder is made, before anything else is asked for; where that is on another
        machine, it is told which. Raises: OSError."""
        new = new_of(folder)
        if folder.exists():
            return None  # it was claimed before, with its files
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        try:
            live = {id.ref for id in self.claimed()}
            digest = self._snapshots.of_version(want.id, want.generation, body.workdir, live)
            if self._host.folder_of(folder) == str(folder):
                self._snapshots.lay_out(digest, new / task_folder.WORK)
            else:
                task_folder.write_json(str(new), task_folder.SHIPPED, {"digest": digest})
        except (CannotShip, OSError) as e:
            shutil.rmtree(new, ignore_errors=True)
            if isinstance(e, OSError):
                raise
            return Refused(f"its folder {body.workdir} cannot be shipped: {e}")
        return None

    def _claim(self, want: Wanted, body: TaskBody, folder: Path, order: Order) -> None:
        """The task's folder appears at once and whole. It need not survive a power cut: no task does."""
        new = new_of(folder)
        if not body.ship:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o700)
        if body.checkpoint:
            (new / task_folder.CHECKPOINTS).mkdir(mode=0o700)
        wanted = {
            "id": str(want.id),
            "generation": want.generation,
            "body": to_plain(TaskBody, body),
            "socket": order["socket"],
            "ports": order["ports"],
            "secret_folder": order["secret_folder"],
        }
        try:
            task_folder.write_json(str(new), WANTED, wanted)
            new.rename(folder)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            raise

    # --- releasing

    def _is_over(self, id: ThingId, folder: Path) -> bool:
        """Whether the task can be cleared away; one that runs is asked to stop."""
        wanted = claim_in(folder)
        if wanted is None:
            if not isinstance(self._host.absence(id, folder), Absent):
                self._host.release_stranger(id)
            return False
        # Whoever claims the start first has it: the host to begin, or we to prevent it.
        if task_folder.begin(str(folder), {"released": True}):
            return True
        # An end that nobody was told of stays for one more look: else what it cost, and that it
        # succeeded just as it was to be stopped, would never be known.
        if id in self._ended:
            return True
        if not _has_ended(self._look(id, {})):
            if not (folder / STOP).exists():
                task_folder.write_json(str(folder), STOP, {"grace_s": wanted["body"]["grace_s"]})
            self._host.wake(id, folder)
        return False

    def _clear(self, id: ThingId, folder: Path) -> None:
        """Takes an ended task's folder away. It has no credentials any more."""
        self._host.remove(id, folder)
        self._archive.take(folder)
        self._ended.pop(id, None)


@lru_cache(maxsize=4096)
def _folder_name(id: str) -> str:
    # Kept: each look, and each verb, asks for it several times.
    return quote(id, safe="")


def _principal(id: ThingId) -> str:
    return f"task:{id}"


def _has_ended(seen: Seen) -> bool:
    return isinstance(seen, Present) and isinstance(seen.facts, TaskFacts) and seen.facts.end is not None


def _with_readiness(seen: Seen, is_ready: bool) -> Seen:
    if not is_ready or not isinstance(seen, Present) or not isinstance(seen.facts, TaskFacts):
        return seen
    return replace(seen, facts=replace(seen.facts, is_ready=True))
