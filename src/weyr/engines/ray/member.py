"""What runs on a node of the cluster? One actor for each attempt; it starts the wrapper, and tells what happens.

It outlives the server and its helper: who asks what is new is answered from where they stopped. It renews the wrapper's
lease for as long as the cluster's head says that this node is one of its own.
"""

import asyncio
import fcntl
import json
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

import ray
from ray._private.worker import global_worker

from weyr.attempt import task_folder
from weyr.attempt.devices import visible_env
from weyr.attempt.logs import log_files
from weyr.attempt.parcel import Damaged, Intake, Piece, Wish
from weyr.attempt.ranks import placed
from weyr.attempt.shipped_files import CannotShip
from weyr.attempt.shipping import SHIPPED_FOLDER, Snapshots
from weyr.attempt.task_folder import EXIT, STATE, STOP, Order

RENEWALS = 4
"""In the time of one lease: three may be lost."""
LOOK_S = 0.05
TELL_EVERY_S = 20.0
CHUNK_BYTES = 1 << 20


class Place(TypedDict):
    """How far somebody has read: log file and offset, and the number of the state."""

    file: str
    offset: int
    version: int


class News(TypedDict):
    """What is new since a place. `node` is Ray's name of the node and `host` its own. `oldest` is the first log file
    that is kept; `end` comes when all else was told."""

    node: str
    host: str
    file: str
    offset: int
    text: bytes
    oldest: str
    version: int
    state: dict[str, Any] | None
    end: dict[str, Any] | None
    lacking: list[Wish]
    """Files of its folder that this node lacks, and waits for."""


class Member:
    """One attempt on one node. Takes its order, and the interpreter that has Weyr."""

    def __init__(self, order: Order, python: str) -> None:
        self._order, self._python = order, python
        self._folder = order["folder"]
        self._node = ray.get_runtime_context().get_node_id()
        self._version = 0
        self._state: dict[str, Any] | None = None
        self._end: dict[str, Any] | None = None
        self._life: asyncio.Task[None] | None = None
        self._intake: Intake | None = None
        self._refused = ""

    async def news(self, since: Place) -> News:
        """What is new, as soon as something is; after a while also if nothing is. The first who asks begins it."""
        self._life = self._life or asyncio.create_task(self._live())
        deadline = asyncio.get_running_loop().time() + TELL_EVERY_S
        while True:
            is_over = self._end is not None  # asked before the log is read: its last lines come before its end
            news = self._read(since)
            if news["text"] or news["lacking"] or news["version"] != since["version"]:
                return news
            if is_over:
                return {**news, "end": self._end}
            if asyncio.get_running_loop().time() > deadline:
                return news
            await asyncio.sleep(LOOK_S)

    async def ask(self, name: str, request: dict[str, float]) -> None:
        """Leaves a request (STOP, RECLAIM) to the wrapper."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        if not os.path.exists(os.path.join(self._folder, name)):
            task_folder.write_json(self._folder, name, request)
        task_folder.wake(self._folder)

    async def give(self, pieces: list[Piece]) -> None:
        """Takes in what it lacked. None at all: there are no such files any more."""
        try:
            if not pieces:
                raise Damaged("the copy of its folder was cleared away; apply the object again")
            if self._intake:
                self._intake.take(pieces)
        except (OSError, Damaged) as e:
            self._refused = str(e)

    async def clear(self) -> None:
        """Its end is known elsewhere: nothing of it stays on the node."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- the attempt

    async def _live(self) -> None:
        try:
            await self._run()
        except Exception as e:  # noqa: BLE001 - the actor's edge: whatever it is, somebody waits for an end
            self._end = {"reason": "not started", "detail": f"{type(e).__name__}: {e}", "ended_at": 0.0}

    async def _run(self) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        order = await asyncio.to_thread(self._placed)
        if order["shipped"]:
            await self._unpack(order["shipped"], Path(order["workdir"]))
        events = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self._folder, "events.sock")
        with suppress(FileNotFoundError):
            os.unlink(path)
        events.bind(path)
        events.setblocking(False)
        order["events"] = path
        wrapper = await asyncio.create_subprocess_exec(
            self._python, "-m", "weyr.attempt", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert wrapper.stdin is not None
        assert wrapper.stderr is not None
        wrapper.stdin.write(json.dumps(order).encode() + b"\n")
        helpers = [asyncio.create_task(self._renew(wrapper.stdin)), asyncio.create_task(self._hear(events))]
        said = await wrapper.stderr.read()
        await wrapper.wait()
        for helper in helpers:
            helper.cancel()
        events.close()
        self._note_state()
        end = task_folder.read_json(self._folder, EXIT)
        detail = f"its wrapper left no record: {said.decode(errors='replace').strip()[-500:]}"
        self._end = end or {"reason": "lost", "detail": detail, "ended_at": 0.0}

    async def _unpack(self, digest: str, into: Path) -> None:
        """Has the files of its folder brought to this node, as far as they are not there, and copies them. One after
        the other: what came for one is there for the next. Raises: CannotShip, OSError."""
        store = into.parents[1] / SHIPPED_FOLDER
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        intake = Intake(store, digest)
        with open(store / "lock", "w") as lock:
            while not _is_locked(lock.fileno()):
                await asyncio.sleep(LOOK_S)
            while intake.lacking() and not os.path.exists(os.path.join(self._folder, STOP)):
                self._intake = intake
                if self._refused:
                    raise CannotShip(self._refused)
                await asyncio.sleep(LOOK_S)
            self._intake = None
            if not intake.lacking():
                snapshots = Snapshots(store)
                await asyncio.to_thread(snapshots.lay_out, digest, into)
                await asyncio.to_thread(snapshots.keep_few, {digest})

    def _placed(self) -> Order:
        """The order with what only its node knows: addresses, and the devices that Ray gave it."""
        size = self._order["ranks"]["size"]
        addresses = [ray.util.get_node_ip_address()]
        group = ray.util.get_current_placement_group()
        if size > 1:
            nodes = {node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes()}
            bundles = ray.util.placement_group_table(group)["bundles_to_node_id"]
            addresses = [nodes[bundles[rank]] for rank in range(size)]
        devices = [str(device) for device in ray.get_gpu_ids()]
        order = placed(self._order, addresses)
        return {**order, "env": {**order["env"], **visible_env(devices)}, "devices": devices}

    async def _renew(self, door: asyncio.StreamWriter) -> None:
        every_s = self._order["lease_s"] / RENEWALS
        node = ray.NodeID.from_hex(self._node)
        while True:
            with suppress(Exception):  # not answered is not renewed, whatever the reason
                alive = await asyncio.to_thread(global_worker.gcs_client.check_alive, [node], every_s)
                if alive == [True]:
                    door.write(b".")
                    await door.drain()
            await asyncio.sleep(every_s)

    async def _hear(self, events: socket.socket) -> None:
        while True:
            await asyncio.get_running_loop().sock_recv(events, 4096)
            self._note_state()

    def _note_state(self) -> None:
        with suppress(OSError, ValueError):
            state = task_folder.read_json(self._folder, STATE)
            if state != self._state:
                self._state = state
                self._version += 1

    # --- telling

    def _read(self, since: Place) -> News:
        """The next piece of the log, and the state if it is another."""
        file, offset, text = since["file"], since["offset"], b""
        files = log_files(self._folder)
        ahead = [name for name in files if name >= file]
        while ahead and not text:
            file, offset = ahead[0], offset if ahead[0] == file else 0
            with suppress(FileNotFoundError), open(os.path.join(self._folder, file), "rb") as log:
                log.seek(offset)
                text = log.read(CHUNK_BYTES)
            ahead = ahead[1:]
        is_new = self._version != since["version"]
        return News(
            node=self._node,
            host=socket.gethostname(),
            file=file,
            offset=offset,
            text=text,
            oldest=files[0] if files else "",
            version=self._version,
            state=self._state if is_new else None,
            end=None,
            lacking=self._intake.lacking() if self._intake and not self._refused else [],
        )


def _is_locked(fd: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
