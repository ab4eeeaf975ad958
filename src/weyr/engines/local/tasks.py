"""How does this machine run tasks? The launcher forks wrappers; a lock that is free without a recorded end tells that
one died."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from weyr.attempt import devices, image, interpreters, nvml, requirements, sandbox, task_folder
from weyr.attempt.host import Serving
from weyr.attempt.limits import remove_groups
from weyr.attempt.nvml import Device
from weyr.attempt.orders import CredentialIssuer, SecretReader
from weyr.attempt.task_folder import BEGUN, Order
from weyr.attempt.tasks import Tasks
from weyr.attempt.testimony import end_in, record_or_nothing
from weyr.core.capability import TaskBody
from weyr.core.engine import LOCAL_POWERS
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Seen, Unknown
from weyr.engines.local.burial import bury
from weyr.engines.local.probe import Probes


class Starter(Protocol):
    """Who forks wrappers; `LauncherClient` in production. Raises: EngineSilent."""

    def start(self, orders: Sequence[Order]) -> list[str]: ...


class LocalHost:
    """This machine, as a `weyr.attempt.host.Host`."""

    address = "127.0.0.1"
    lease_s = 0.0
    powers = LOCAL_POWERS

    def __init__(
        self,
        folder: Path,
        launcher: Starter,
        surroundings: Callable[[], Mapping[str, str]],
        now: Callable[[], float],
        environments: Path,
        python: str = sys.executable,
        has_node: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self.python, self._has_node = python, has_node
        self._folder, self._launcher, self._surroundings, self._now = folder, launcher, surroundings, now
        self._devices: Sequence[Device] = ()
        self._probes = Probes()
        self._environments = str(environments)

    def refusal(self, body: TaskBody) -> str:
        """What this machine cannot give; a limit that is not kept would be worse than none."""
        cpus, memory_bytes = os.cpu_count() or 1, machine_memory_bytes()
        if body.cpu > cpus:
            return f"it asks for {body.cpu:g} CPUs, and this machine has {cpus}"
        if body.memory_bytes is not None and body.memory_bytes > memory_bytes:
            asked, has = body.memory_bytes >> 20, memory_bytes >> 20
            return f"it asks for {asked} MiB of memory, and this machine has {has} MiB"
        return (
            devices.refusal(body, self._found_devices(body))
            or (image.refusal(body, image.engine()) if body.image else "")
            or sandbox.refusal(body)
            or requirements.trouble(body.requirements, body.workdir)
            or interpreters.trouble(body.python, os.environ)
        )

    def _found_devices(self, body: TaskBody) -> Sequence[Device]:
        """The devices that the driver knows, asked again where one is named that was not there."""
        if not body.devices:
            return ()
        if any(name not in {device.id for device in self._devices} for name in body.devices):
            try:
                self._devices = nvml.detect().devices
            except nvml.NvmlTrouble:
                self._devices = ()
        return self._devices

    def has_node(self, name: str) -> bool:
        return self._has_node(name)

    def folder_of(self, folder: Path) -> str:
        return str(folder)

    def surroundings(self) -> Mapping[str, str]:
        return {"HOME": os.path.expanduser("~"), **self._surroundings()}

    def start(self, orders: Sequence[Order]) -> list[str]:
        return self._launcher.start([self._fitted(order) for order in orders])

    def _fitted(self, order: Order) -> Order:
        """An order as this machine carries it out."""
        mps = devices.mps_folder(os.environ) if order["accelerators"] else ""
        is_apart = order["sandbox"] or order["image"]
        nodes = devices.nodes_of(order["devices"], self._devices) if is_apart else ()
        order = requirements.needed(order, self._environments, self.python, os.environ)
        order = devices.visible(order, mps)
        if order["image"]:
            return image.contained(order, image.engine(), image.around(order, nodes), os.environ)
        return sandbox.confined(order, [str(self._folder.parent)], nodes)

    def wake(self, id: ThingId, folder: Path) -> None:
        task_folder.wake(str(folder))

    def end_of_silent(self, id: ThingId, folder: Path, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        """The end of a task whose wrapper is not there, or None while it is. Raises: OSError."""
        lock = task_folder.lock(str(folder))
        if lock is None:
            return None
        try:
            # The wrapper may have ended, duly, since we looked.
            end = end_in(folder)
            if end is None and bury(str(folder), claim, self._now()):
                end = end_in(folder)
            if end is None:
                raise OSError("its wrapper died and what it started is still ending")
            return end
        finally:
            os.close(lock)

    def absence(self, id: ThingId, folder: Path) -> Seen:
        """Its parent's list must be there and lack it: an unmounted data folder proves nothing."""
        if folder.name not in os.listdir(self._folder):
            return Absent()
        # Claims appear whole, so only a power cut leaves a folder without its claim. No task outlived that.
        lock = task_folder.lock(str(folder))
        if lock is None:
            return Unknown("the task's folder lacks its record, and its wrapper runs")
        try:
            if not bury(str(folder), {}, self._now()):
                return Unknown("the task's folder lacks its record, and what it started is still ending")
            shutil.rmtree(folder)
        finally:
            os.close(lock)
        return Absent()

    def remove(self, id: ThingId, folder: Path) -> None:
        begun = record_or_nothing(folder, BEGUN)
        remove_groups(begun.get("groups", []))  # a wrapper that was killed could not

    def strangers(self) -> Sequence[ThingId]:
        return ()

    def release_stranger(self, id: ThingId) -> None:
        return  # nothing runs here without a folder

    def ready(self, serving: Serving) -> set[str]:
        return self._probes.ready(serving)


def local_tasks(
    folder: Path,
    sockets: Path,
    cache: Path,
    launcher: Starter,
    credentials: CredentialIssuer,
    secrets: SecretReader,
    surroundings: Callable[[], Mapping[str, str]],
    now: Callable[[], float],
    events: Path | None = None,
    python: str = sys.executable,
    has_node: Callable[[str], bool] = lambda _: True,
) -> Tasks:
    """The TASKS capability of this machine. `surroundings` gives what every task's environment holds: where tracking
    and the object store are. `has_node` says whether a slice of this machine is there."""
    host = LocalHost(folder, launcher, surroundings, now, cache / "environments", python, has_node)
    return Tasks(folder, host, sockets, cache, credentials, secrets, now, events)


def machine_memory_bytes() -> int:
    """How much memory this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
