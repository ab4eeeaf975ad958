"""Which NVIDIA devices does this machine have? Asked of the driver's own library, MIG slices included.

By ctypes: the driver brings the library, and a package around it would be one more version that has to fit. Where there
is no driver this costs one failed look.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
NAME_BYTES = 96
CAPABILITIES = Path("/proc/driver/nvidia/capabilities")
_BRANDS = {"NVIDIA", "Tesla", "GeForce", "Quadro"}
_FAMILIES = {"RTX", "GTX", "TITAN"}
_PROFILE = re.compile(r"MIG (\d+g\.\d+gb\S*)")


class NvmlTrouble(Exception):
    """The driver's library is there and does not answer; its words say why."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device or one MIG slice. `id` is its UUID; `model` is short, as people write it (`H100`), `name` in full.

    `nodes` are the files under /dev that are this device's alone.
    """

    id: str
    model: str
    name: str
    memory_bytes: int
    profile: str = ""
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What was found. A device that is cut into slices is not among them; its slices are."""

    devices: tuple[Device, ...] = ()
    driver: str = ""


def detect(load: Callable[[str], Any] = ctypes.CDLL) -> Found:
    """Nothing where there is no driver. Raises: NvmlTrouble where there is one and it does not answer."""
    try:
        library = load(LIBRARY)
    except OSError:
        return Found()
    nvml = _Nvml(library)
    with nvml.opened():
        devices = [device for index in range(nvml.number("nvmlDeviceGetCount_v2")) for device in _devices(nvml, index)]
        return Found(tuple(devices), nvml.text("nvmlSystemGetDriverVersion"))


@dataclass(frozen=True, slots=True)
class Load:
    """What a device is doing. `busy` is the share of the last second that it computed, None where it does not say."""

    id: str
    model: str
    total_bytes: int
    free_bytes: int
    used_bytes: int
    busy: float | None = None


def loads(load: Callable[[str], Any] = ctypes.CDLL) -> tuple[Load, ...]:
    """What each device does now; of one that is cut into slices, as a whole. Raises: NvmlTrouble."""
    try:
        library = load(LIBRARY)
    except OSError:
        return ()
    nvml = _Nvml(library)
    with nvml.opened():
        return tuple(_load(nvml, index) for index in range(nvml.number("nvmlDeviceGetCount_v2")))


def model_of(name: str) -> str:
    """A name as the driver has it, as short as people write it: `NVIDIA A100-SXM4-80GB` is an A100."""
    words = [word for word in re.split(r"[ -]", name.split(" MIG ")[0]) if word and word not in _BRANDS]
    if not words:
        return name
    if words[0] in _FAMILIES and len(words) > 1:
        short = words[0] + words[1] if words[1][0].isdigit() else words[1]
        return short + ("-Ada" if "Ada" in words else "")
    return words[0]


class _Nvml:
    """The library's calls. Each gives its answer through a pointer and returns a number, 0 for done."""

    def __init__(self, library: Any) -> None:
        self._library = library
        library.nvmlErrorString.restype = ctypes.c_char_p

    @contextmanager
    def opened(self) -> Iterator[None]:
        self._call("nvmlInit_v2")
        try:
            yield
        finally:
            self._call("nvmlShutdown")

    def number(self, name: str, *arguments: object) -> int:
        found = ctypes.c_uint()
        self._call(name, *arguments, ctypes.byref(found))
        return found.value

    def text(self, name: str, *arguments: object) -> str:
        found = ctypes.create_string_buffer(NAME_BYTES)
        self._call(name, *arguments, found, ctypes.c_uint(NAME_BYTES))
        return found.value.decode(errors="replace")

    def handle(self, name: str, *arguments: object) -> ctypes.c_void_p:
        found = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(found))
        return found

    def memory_bytes(self, device: ctypes.c_void_p) -> int:
        return self.memory(device)[0]

    def memory(self, device: ctypes.c_void_p) -> tuple[int, int, int]:
        """Total, free and used."""
        figures = (ctypes.c_ulonglong * 3)()
        self._call("nvmlDeviceGetMemoryInfo", device, figures)
        return int(figures[0]), int(figures[1]), int(figures[2])

    def busy(self, device: ctypes.c_void_p) -> float | None:
        rates = (ctypes.c_uint * 2)()  # per cent of the time: computing, and moving memory
        code = self._library.nvmlDeviceGetUtilizationRates(device, rates)
        return None if code else rates[0] / 100

    def is_sliced(self, device: ctypes.c_void_p) -> bool:
        """Whether it is in MIG mode; a device that knows no such mode is not."""
        now, pending = ctypes.c_uint(), ctypes.c_uint()
        code = self._library.nvmlDeviceGetMigMode(device, ctypes.byref(now), ctypes.byref(pending))
        return code == 0 and now.value == 1

    def slices(self, device: ctypes.c_void_p) -> Iterator[ctypes.c_void_p]:
        for index in range(self.number("nvmlDeviceGetMaxMigDeviceCount", device)):
            found = ctypes.c_void_p()
            if self._library.nvmlDeviceGetMigDeviceHandleByIndex(device, ctypes.c_uint(index), ctypes.byref(found)):
                continue  # there may be room for a slice that nobody made
            yield found

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            said = self._library.nvmlErrorString(code).decode(errors="replace")
            raise NvmlTrouble(f"{name}: {said}")


def _load(nvml: _Nvml, index: int) -> Load:
    device = nvml.handle("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index))
    name, uuid = nvml.text("nvmlDeviceGetName", device), nvml.text("nvmlDeviceGetUUID", device)
    return Load(uuid, model_of(name), *nvml.memory(device), nvml.busy(device))


def _devices(nvml: _Nvml, index: int) -> Iterator[Device]:
    """The device of this number, or its slices."""
    device = nvml.handle("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index))
    try:
        minor = nvml.number("nvmlDeviceGetMinorNumber", device)
    except NvmlTrouble:
        minor = index  # some virtual machines do not say; the nodes are then numbered as the devices are
    name, node = nvml.text("nvmlDeviceGetName", device), f"/dev/nvidia{minor}"
    if not nvml.is_sliced(device):
        uuid = nvml.text("nvmlDeviceGetUUID", device)
        yield Device(uuid, model_of(name), name, nvml.memory_bytes(device), nodes=(node,))
        return
    for part in nvml.slices(device):
        gpu = nvml.number("nvmlDeviceGetGpuInstanceId", part)
        compute = nvml.number("nvmlDeviceGetComputeInstanceId", part)
        part_name = nvml.text("nvmlDeviceGetName", part)
        profile = found.group(1) if (found := _PROFILE.search(part_name)) else ""
        nodes = (node, *_capability_nodes(minor, gpu, compute))
        uuid = nvml.text("nvmlDeviceGetUUID", part)
        yield Device(uuid, model_of(name), part_name, nvml.memory_bytes(part), profile, nodes)


def _capability_nodes(minor: int, gpu: int, compute: int) -> Iterator[str]:
    """The nodes that open a slice: one for its GPU instance, one for its compute instance."""
    instance = CAPABILITIES / f"gpu{minor}" / "mig" / f"gi{gpu}"
    for access in (instance / "access", instance / f"ci{compute}" / "access"):
        try:
            fields = dict(line.split(":", 1) for line in access.read_text().splitlines() if ":" in line)
            yield f"/dev/nvidia-caps/nvidia-cap{int(fields['DeviceFileMinor'])}"
        except (OSError, KeyError, ValueError):
            continue
