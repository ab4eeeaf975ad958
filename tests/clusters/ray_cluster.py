"""A real Ray cluster for tests: a head, and workers that are nodes of their own, each in its network namespace.

The head is at a bridge's address, with no CPUs; a worker reaches it, and all others, over its own link, which can be
cut. Everything is ended by its own pid, and links, bridge and namespaces go with it.
"""

import atexit
import functools
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

RAY = """
import ray._private.services
from ray.scripts.scripts import main
ray._private.services.find_gcs_addresses = set  # a head of before, which the workers of this machine still name
main()
"""
START_S = 120.0
CLUSTERS = itertools.count()
LOSS = {
    # By default a node that says nothing counts as dead after 15 s and more: for a test that is too long to wait.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
QUIET = {
    "RAY_AUTH_MODE": "disabled",  # a token in the home of who runs the tests belongs to another cluster
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_raylet_start_wait_time_s": "120",
}


class RayCluster:
    """Starts the head at once. `address` is what drivers and nodes are told."""

    def __init__(self) -> None:
        # A process may have two at a time, as the tests' order has it: each has a bridge and a net of its own.
        number = os.getpid() + 7919 * next(CLUSTERS)
        self._mark = f"{number % 0xFFFF:04x}"
        self._net = f"10.{200 + number % 50}.{number // 50 % 250}"
        self._temporary = Path(tempfile.mkdtemp(prefix="ray-"))
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._number: dict[str, int] = {}
        self._given: dict[str, tuple[int, dict[str, int]]] = {}
        bridge = f"wb{self._mark}"
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{self._net}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        self._bridge = bridge
        self.port = _free_port(f"{self._net}.1")
        self.host = f"{self._net}.1"
        self.address = f"{self.host}:{self.port}"
        self.start_head()

    def start_head(self) -> None:
        words = ["--head", f"--node-ip-address={self._net}.1", f"--port={self.port}", "--num-cpus=0"]
        self._begin("head", [*words, "--include-dashboard=false", f"--temp-dir={self._temporary}"], [])
        self._until_joined("head")

    def add_worker(self, name: str, cpus: int = 2, **resources: int) -> None:
        """A node more, or one that was killed, again and as it was. One after the other: two that begin at once on one
        machine take the same names for their sockets."""
        if name in self._nodes:
            return
        cpus, resources = self._given.setdefault(name, (cpus, resources))
        number = self._number.setdefault(name, len(self._number) + 1)
        space, near, far = f"wn{self._mark}{name}", f"wv{self._mark}{name}", f"wp{self._mark}{name}"
        if not Path("/run/netns", space).exists():
            _ip("netns", "add", space)
            _ip("link", "add", near, "type", "veth", "peer", "name", far)
            _ip("link", "set", far, "netns", space)
            _ip("link", "set", near, "master", self._bridge, "up")
            for words in (["addr", "add", f"{self._net}.{number + 1}/24", "dev", far], ["link", "set", far, "up"]):
                _ip("-n", space, *words)
            _ip("-n", space, "link", "set", "lo", "up")
        words = [f"--address={self.address}", f"--node-ip-address={self._net}.{number + 1}", f"--num-cpus={cpus}"]
        words += [f"--num-gpus={resources['gpus']}"] if "gpus" in resources else []
        self._begin(name, words, ["ip", "netns", "exec", space])
        self._until_joined(name)

    def kill(self, name: str) -> None:
        """As if the machine had lost its power: everything of a node at once."""
        node = self._nodes.pop(name)
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(node.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
        node.kill()
        node.wait()

    def processes(self, name: str) -> set[int]:
        """All that run on a node."""
        return {process.pid for process in psutil.Process(self._nodes[name].pid).children(recursive=True)}

    def cut(self, name: str, is_cut: bool = True) -> None:
        """Takes a worker's link down, or up again: everything on it runs on."""
        _ip("link", "set", f"wv{self._mark}{name}", "down" if is_cut else "up")

    def close(self) -> None:
        for name in [*self._nodes]:
            self.kill(name)
        for path in Path("/run/netns").glob(f"wn{self._mark}*"):
            _ip("netns", "del", path.name)
        _ip("link", "del", self._bridge)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _begin(self, name: str, words: list[str], before: list[str]) -> None:
        log = self._temporary / f"{name}.log"
        with log.open("wb") as out:
            command = [
                *before,
                sys.executable,
                "-c",
                RAY,
                "start",
                "--block",
                "--object-store-memory=80000000",
                "--disable-usage-stats",
            ]
            self._nodes[name] = subprocess.Popen(
                [*command, *words], stdout=out, stderr=out, env={**os.environ, **QUIET, **LOSS}, start_new_session=True
            )

    def _until_joined(self, name: str) -> None:
        log = self._temporary / f"{name}.log"
        deadline = time.monotonic() + START_S
        while b"Ray runtime started" not in log.read_bytes():
            assert self._nodes[name].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@functools.cache
def shared_ray() -> RayCluster:
    """One cluster for all tests of this process: a head, and a worker `a` with a device. Who needs another adds it."""
    cluster = RayCluster()
    atexit.register(cluster.close)
    cluster.add_worker("a", gpus=1)
    return cluster


def end_shared_ray() -> None:
    """Who did to it what others could not bear ends it; they get another."""
    cluster = shared_ray()
    atexit.unregister(cluster.close)
    cluster.close()
    shared_ray.cache_clear()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _free_port(host: str) -> int:
    with socket.socket() as door:
        door.bind((host, 0))
        return int(door.getsockname()[1])
