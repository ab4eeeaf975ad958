"""A real Ray cluster under trial: a head and two workers, and a server whose helper comes and goes with it."""

import atexit
import functools
import shutil
import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

from engines import LocalWorld
from ray_cluster import RayCluster, end_shared_ray, shared_ray

from weyr.attempt.processes import marked
from weyr.attempt.task_folder import STATE, read_json
from weyr.attempt.tasks import Tasks
from weyr.core.capability import TaskBody
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.engines.ray.host import RayHost
from weyr.engines.ray.settings import RaySettings

R = TypeVar("R")
ANSWERS_WITHIN_S = 120.0
LEASE_S = 4.0
GONE_WITHIN_S = 60.0


class RayWorld(LocalWorld):
    """The server and its helper are what restarts; the cluster goes on."""

    patience_s = 60.0  # a worker's first process takes Ray seconds, and many on a busy machine

    def __init__(self, cluster: RayCluster) -> None:
        self.cluster = cluster
        self.doors_at = cluster.host
        super().__init__()

    def _open(self) -> Tasks:
        folder = self.home / "tasks"
        folder.mkdir(exist_ok=True)
        settings = RaySettings(address=self.cluster.address, folder=str(self.home / "node"), lease=LEASE_S)
        self.host = RayHost(
            folder,
            self.home,
            namespace=f"weyr-{self.home.name}",
            settings=lambda: settings,
            surroundings=lambda: self.surroundings,
            events=self.home / "events.sock",
        )
        return Tasks(folder, self.host, self.home / "sockets", self.home / "cache", self.issuer, self.secrets, self.now)

    def restart(self) -> None:
        self.host.close()
        self.reopen()

    def patiently(self, call: Callable[[], R]) -> R:
        """Until the helper has connected."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while True:
            try:
                return call()
            except EngineSilent:
                if time.monotonic() > deadline:
                    raise
                self.pause()

    def lose(self, id: ThingId) -> None:
        """The worker's machine is gone; another comes up in its place."""
        self.cluster.kill("a")
        self.cluster.add_worker("a")

    def close(self) -> None:
        """Leaves it as it was: to connect takes seconds, so that all tests have the same server."""
        for id in self.inventory():
            self.clear(id)
        self.clock_set_by_s = 0.0
        for starts in self.home.glob("starts-*"):
            starts.unlink()

    def shell(self, script: str) -> TaskBody:
        return TaskBody(("/bin/sh", "-c", script), str(self.home))

    def on_node(self, ids: Sequence[ThingId], name: str) -> ThingId:
        """Which of these runs on a worker of the cluster: its wrapper is a process of that node."""
        below = self.cluster.processes(name)
        for id in ids:
            state = read_json(str(self.home / "tasks" / quote(str(id), safe="")), STATE)
            if state and state["wrapper"] in below:
                return id
        raise AssertionError(f"none of {ids} runs on {name}")

    def until_no_process_of(self, id: ThingId) -> None:
        mark = f"WEYR_TASK_ID={id}"
        deadline = time.monotonic() + GONE_WITHIN_S
        while marked(mark):
            assert time.monotonic() < deadline, f"{id} still runs"
            self.pause()

    def end(self) -> None:
        self.host.close()
        shutil.rmtree(self.home, ignore_errors=True)


@functools.cache
def shared_world() -> RayWorld:
    world = RayWorld(shared_ray())
    atexit.register(world.end)
    world.inventory()
    return world


def end_shared_world() -> None:
    """With its cluster; who asks again gets others."""
    world = shared_world()
    atexit.unregister(world.end)
    world.end()
    shared_world.cache_clear()
    end_shared_ray()
