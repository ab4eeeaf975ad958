"""How does a Ray cluster run tasks? As actors that outlive us, of which a helper process tells."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from weyr.attempt import sandbox, task_folder
from weyr.attempt.cluster_nodes import ClusterNode, ClusterNodes
from weyr.attempt.host import Serving
from weyr.attempt.orders import mark_of
from weyr.attempt.task_folder import BEGUN, EXIT, WANTED, Order
from weyr.attempt.testimony import end_in, record_or_nothing, tasks_named
from weyr.core.capability import Accelerators, TaskBody
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, Seen, Unknown
from weyr.engines.ray.cluster import Asked, cluster_nodes
from weyr.engines.ray.settings import POWERS, RaySettings

ANSWER_S = 5.0
BEGIN_EVERY_S = 3.0
LOOK_S = 0.1
LEASE_MARGIN_S = 10.0
"""What a wrapper may take to end all it runs once its lease is over."""


class RayHost:
    """One Ray cluster, as a `weyr.attempt.host.Host`.

    Takes the folder of tasks; `sockets`, a folder with a short path; `namespace`, which no other server's is;
    `surroundings`, what every task's environment holds there; `events`, a datagram socket that is told of changes.
    """

    address = ""
    powers = POWERS

    def __init__(
        self,
        folder: Path,
        sockets: Path,
        namespace: str,
        settings: Callable[[], RaySettings],
        surroundings: Callable[[], Mapping[str, str]],
        events: Path | None = None,
        log: Path | None = None,
    ) -> None:
        self._folder, self._namespace = folder, namespace
        self._settings, self._surroundings = settings, surroundings
        self._socket = sockets / f"ray-{mark_of(folder)}.sock"
        self._events, self._log = str(events or ""), log or folder.parent / "ray.log"
        self._helper: subprocess.Popen[bytes] | None = None
        self._begin_at = 0.0
        self._lock = threading.RLock()
        self._looked: dict[str, Any] = {}
        self._looked_at = float("-inf")
        self.site = ClusterNodes(folder.parent / "nodes.json", self.nodes, time.time)
        self._clusters: dict[str, float] = {}
        """Since when each cluster is known to be the one at the address."""

    @property
    def python(self) -> str:
        return self._settings().python or sys.executable

    @property
    def lease_s(self) -> float:
        return self._settings().lease

    def refusal(self, body: TaskBody) -> str:
        """What asks for powers that Ray lacks never comes here. Whether a node has bubblewrap, it says itself."""
        return sandbox.unfit(body)

    def has_node(self, name: str) -> bool:
        return bool(self.site.identity_of(name))

    def folder_of(self, folder: Path) -> str:
        return f"{self._settings().folder}/{mark_of(folder)}"

    def surroundings(self) -> Mapping[str, str]:
        return self._surroundings()

    # --- starting and stopping

    def start(self, orders: Sequence[Order]) -> list[str]:
        """As `Host.start`, one gang after the other."""
        answers: dict[str, str] = {}
        for gang in _gangs(orders):
            try:
                answer = self._start_gang(gang)
            except EngineSilent as e:
                answer = str(e)
            answers |= {order["id"]: answer for order in gang}
        return [answers[order["id"]] for order in orders]

    def _start_gang(self, gang: list[Order]) -> str:
        """Claims all starts, then tells the helper. What dies in between is seen to be lost, and begins anew."""
        cluster = self._look()["cluster"]  # before anything is claimed: a silent cluster costs no attempt
        folders = [self._of(order["id"]) for order in gang]
        nodes = [self._node_of(order) for order in gang]
        claims = [{"cluster": cluster, "node": node} for node in nodes]
        claimed = [task_folder.begin(str(folder), claim) for folder, claim in zip(folders, claims, strict=True)]
        if not all(claimed) or len(gang) < gang[0]["ranks"]["size"]:
            for folder in folders:
                self._record(folder, "lost", "only a part of its gang could be begun")
            return ""
        needs = [_needs(order, self._body(folder)) for order, folder in zip(gang, folders, strict=True)]
        return str(self._ask({"do": "start", "gang": gang, "needs": needs, "nodes": nodes})["answer"])

    def _node_of(self, order: Order) -> str:
        """Ray's id of the node that the scheduler chose, "" where it chose none."""
        node = self._body(self._of(order["id"])).node
        return self.site.identity_of(node) if node else ""

    def wake(self, id: ThingId, folder: Path) -> None:
        for name in (task_folder.RECLAIM, task_folder.STOP):
            request = record_or_nothing(folder, name)
            if request:
                try:
                    self._ask({"do": "ask", "id": str(id), "name": name, "request": request})
                except EngineSilent:
                    return  # the release is said again until the task is gone

    # --- looking

    def end_of_silent(self, id: ThingId, folder: Path, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the helper knows. Where the cluster is another one by now, the attempt is over once its lease is."""
        try:
            look = self._look()
        except EngineSilent as e:
            raise OSError(str(e)) from e
        if look["trouble"]:
            raise OSError(look["trouble"])
        if str(id) in look["out_of_touch"]:
            raise OSError(look["out_of_touch"][str(id)])
        if str(id) in look["alive"]:
            return None
        end = end_in(folder)
        if end is not None:
            return end
        before = record_or_nothing(folder, BEGUN).get("cluster")
        if before == look["cluster"]:
            self._record(folder, "lost", "the cluster has no actor of it")
        else:
            left_s = self._clusters[look["cluster"]] + self.lease_s + LEASE_MARGIN_S - _boot_s()
            if left_s > 0:
                raise OSError(f"the Ray cluster that it ran in is gone; its lease ends in {left_s:.0f} s at the latest")
            self._record(folder, "node lost", "the Ray cluster that it ran in is gone, and its lease is over")
        return end_in(folder)

    def absence(self, id: ThingId, folder: Path) -> Seen:
        look = self._look_or_fail()
        if str(id) in look["alive"]:
            return Unknown("it runs in the cluster, and has no folder here")
        return Absent()

    def remove(self, id: ThingId, folder: Path) -> None:
        """Nothing to do: the helper takes an attempt out of the cluster as its end is recorded."""

    def strangers(self) -> Sequence[ThingId]:
        return tasks_named(quote(name, safe="") for name in self._look()["alive"])

    def release_stranger(self, id: ThingId) -> None:
        try:
            self._ask({"do": "remove", "id": str(id)})
        except EngineSilent as e:
            raise OSError(str(e)) from e

    def ready(self, serving: Serving) -> set[str]:
        return set()

    def _of(self, id: str) -> Path:
        return self._folder / quote(id, safe="")

    @staticmethod
    def _body(folder: Path) -> TaskBody:
        body: TaskBody = from_plain(TaskBody, record_or_nothing(folder, WANTED)["body"])
        return body

    def _record(self, folder: Path, reason: str, detail: str) -> None:
        if not (folder / EXIT).exists():
            end = {"reason": reason, "detail": detail, "ended_at": time.time()}
            task_folder.write_json(str(folder), EXIT, end, is_durable=True)

    def nodes(self) -> dict[str, ClusterNode]:
        """Those that are alive and take work. Raises: EngineSilent."""
        pools = [str(id) for id in self.site.pools()]
        answer = self._ask({"do": "nodes", "tell": pools})
        if answer["trouble"]:
            raise EngineSilent(answer["trouble"])
        ours: dict[str, Asked] = {}
        for id in self._look()["alive"]:
            folder = self._of(id)
            node, wanted = record_or_nothing(folder, BEGUN).get("node"), record_or_nothing(folder, WANTED)
            if node and wanted:
                body: TaskBody = from_plain(TaskBody, wanted["body"])
                devices = body.accelerators or Accelerators()
                share = devices.count or devices.share_milli / 1000
                ours[node] = ours.get(node, Asked()) + Asked(body.cpu, body.memory_bytes or 0, share)
        return cluster_nodes(answer["nodes"], ours)

    # --- the helper

    def _look(self) -> dict[str, Any]:
        """What the helper knows, a moment ago at most. Raises: EngineSilent."""
        with self._lock:
            if time.monotonic() - self._looked_at > LOOK_S:
                self._looked = self._ask({"do": "look"})
                self._looked_at = time.monotonic()
                self._clusters.setdefault(self._looked["cluster"], _boot_s())
            return self._looked

    def _look_or_fail(self) -> dict[str, Any]:
        """Raises: OSError where it is not known."""
        try:
            look = self._look()
        except EngineSilent as e:
            raise OSError(str(e)) from e
        if look["trouble"]:
            raise OSError(look["trouble"])
        return look

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises: EngineSilent."""
        with self._lock:
            if request["do"] != "look":
                self._looked_at = float("-inf")
            try:
                return self._exchange(json.dumps(request).encode() + b"\n")
            except (OSError, ValueError) as e:
                self._begin()
                raise EngineSilent(f"the Ray helper does not answer yet: {e}") from e

    def _exchange(self, text: bytes) -> dict[str, Any]:
        if self._helper is None or self._helper.poll() is not None:
            raise ConnectionError(self._last_words() or "it does not run")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.settimeout(ANSWER_S)
            door.connect(str(self._socket))
            door.sendall(text)
            parts = []
            while part := door.recv(1 << 16):
                parts.append(part)
        answer = json.loads(b"".join(parts))
        if not isinstance(answer, dict) or "error" in answer:
            raise ValueError(f"unexpected answer {answer!r}")
        return answer

    def _begin(self) -> None:
        """Starts a helper where none runs. It connects by itself, and is asked again later."""
        if (self._helper is not None and self._helper.poll() is None) or time.monotonic() < self._begin_at:
            return
        self.close()
        self._begin_at = time.monotonic() + BEGIN_EVERY_S
        settings = self._settings()
        words = {
            "--address": settings.address,
            "--namespace": self._namespace,
            "--folder": str(self._folder),
            "--socket": str(self._socket),
            "--events": self._events,
            "--python": self.python,
        }
        command = [sys.executable, "-m", "weyr.engines.ray.envoy", *(word for pair in words.items() for word in pair)]
        self._socket.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._helper = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1][:300] if lines else ""

    def close(self) -> None:
        """Ends the helper; what runs in the cluster goes on."""
        helper, self._helper = self._helper, None
        if helper is not None:
            assert helper.stdin is not None
            helper.stdin.close()
            try:
                helper.wait(5.0)
            except subprocess.TimeoutExpired:
                helper.kill()
                helper.wait()


def _gangs(orders: Sequence[Order]) -> list[list[Order]]:
    """Members of a gang together, by rank."""
    gangs: dict[str, list[Order]] = {}
    for order in orders:
        gangs.setdefault(order["ranks"]["name"] if order["ranks"]["size"] > 1 else order["id"], []).append(order)
    return [sorted(gang, key=lambda order: order["ranks"]["rank"]) for gang in gangs.values()]


def _needs(order: Order, body: TaskBody) -> dict[str, Any]:
    """What one actor asks of the cluster, in the words of its options."""
    needs: dict[str, Any] = {"num_cpus": body.cpu}
    if body.memory_bytes:
        needs["memory"] = body.memory_bytes
    wanted = body.accelerators
    if wanted is not None:
        needs["num_gpus"] = wanted.count or wanted.share_milli / 1000
        if wanted.model:
            needs["resources"] = {f"accelerator_type:{wanted.model}": 0.001}
    return needs


def _boot_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
