"""What is found of accelerators, and what a task may see of them: tried on a made-up driver."""

import ctypes
from typing import Any

import pytest

from weyr.attempt.devices import NOTHING, nodes_of, refusal, share_env, visible_env
from weyr.attempt.nvml import Device, Load, NvmlTrouble, detect, loads, model_of
from weyr.core.capability import Accelerators, TaskBody

WHOLE = {"nvmlDeviceGetName": "NVIDIA H100 80GB HBM3", "nvmlDeviceGetUUID": "GPU-1", "memory": 80 << 30}
SLICE = {"nvmlDeviceGetName": "NVIDIA H100 80GB HBM3 MIG 1g.10gb", "nvmlDeviceGetUUID": "MIG-1", "memory": 10 << 30}


class Driver:
    """Answers as the driver's library does: through pointers, with 0 for done. One handle for each device."""

    def __init__(
        self, devices: list[dict[str, Any]], slices: list[dict[str, Any]] | None = None, code: int = 0
    ) -> None:
        def said(_: int) -> bytes:
            return b"Driver Not Loaded"

        self._all, self._slices = [*devices, *(slices or [])], slices or []
        self._count, self._code = len(devices), code
        self.nvmlErrorString = said

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            return self._answer(name, *arguments)

        return call

    def _answer(self, name: str, *arguments: Any) -> int:
        match name:
            case "nvmlDeviceGetCount_v2":
                arguments[-1]._obj.value = self._count
            case "nvmlDeviceGetHandleByIndex_v2":
                arguments[-1]._obj.value = 1 + arguments[0].value
            case "nvmlDeviceGetMaxMigDeviceCount":
                arguments[-1]._obj.value = len(self._slices) + 1
            case "nvmlDeviceGetMigDeviceHandleByIndex":
                if arguments[1].value >= len(self._slices):
                    return 6
                arguments[-1]._obj.value = 1 + self._count + arguments[1].value
            case "nvmlDeviceGetMigMode":
                arguments[1]._obj.value = bool(self._slices)
            case "nvmlDeviceGetMinorNumber":
                arguments[-1]._obj.value = arguments[0].value - 1
            case "nvmlDeviceGetMemoryInfo":
                memory = self._of(arguments[0])["memory"]
                arguments[1][0], arguments[1][1], arguments[1][2] = memory, memory // 4, memory - memory // 4
            case "nvmlDeviceGetUtilizationRates":
                arguments[1][0] = 30
            case "nvmlSystemGetDriverVersion":
                arguments[0].value = b"550.54"
            case "nvmlDeviceGetName" | "nvmlDeviceGetUUID":
                arguments[1].value = self._of(arguments[0])[name].encode()
        return self._code

    def _of(self, handle: ctypes.c_void_p) -> dict[str, Any]:
        return self._all[(handle.value or 0) - 1]


def test_a_machine_without_a_driver_has_no_devices() -> None:
    """Most have none; that is no error, and nothing is to be installed."""

    def load(_: str) -> None:
        raise OSError("no such library")

    assert detect(load).devices == ()


def test_devices_are_found_with_their_memory_and_short_names() -> None:
    """A pool says H100, the driver says NVIDIA H100 80GB HBM3; the task is told a UUID, which no reboot renumbers."""
    found = detect(lambda _: Driver([WHOLE, WHOLE | {"nvmlDeviceGetUUID": "GPU-2"}]))
    assert found.driver == "550.54"
    assert found.devices == tuple(
        Device(f"GPU-{n}", "H100", "NVIDIA H100 80GB HBM3", 80 << 30, "", (f"/dev/nvidia{n - 1}",)) for n in (1, 2)
    )


def test_a_device_that_is_cut_is_its_slices() -> None:
    """The whole one could not be given away any more; each slice has a name, a size and a UUID of its own."""
    found = detect(lambda _: Driver([WHOLE], [SLICE, SLICE | {"nvmlDeviceGetUUID": "MIG-2"}]))
    assert [(d.id, d.model, d.profile, d.memory_bytes >> 30) for d in found.devices] == [
        ("MIG-1", "H100", "1g.10gb", 10),
        ("MIG-2", "H100", "1g.10gb", 10),
    ]


def test_what_a_device_does_now_is_told() -> None:
    """How full it is and how busy, for whoever wonders where the memory went."""
    (found,) = loads(lambda _: Driver([WHOLE]))

    assert found == Load("GPU-1", "H100", 80 << 30, 20 << 30, 60 << 30, 0.3)


def test_a_driver_that_does_not_answer_is_not_taken_for_none() -> None:
    """A broken driver is to be mended, not to be worked around by running on the CPU."""

    with pytest.raises(NvmlTrouble, match="Driver Not Loaded"):
        detect(lambda _: Driver([], code=9))


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("Tesla T4", "T4"),
        ("NVIDIA GeForce RTX 4090", "RTX4090"),
        ("NVIDIA RTX A6000", "A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX6000-Ada"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("NVIDIA", "NVIDIA"),
    ],
)
def test_names_are_as_people_write_them(name: str, model: str) -> None:
    """`accelerators: H100` has to find what the driver spells out."""
    assert model_of(name) == model


def test_who_asked_for_none_sees_none() -> None:
    """Else the first job that forgets to ask takes the memory of those that did."""
    assert visible_env(()) == NOTHING


def test_uuids_are_told_to_cuda_alone_and_numbers_to_all() -> None:
    """A UUID is NVIDIA's; what was declared by number may be anybody's."""
    by_uuid, by_number = visible_env(("GPU-1", "GPU-2")), visible_env(("0", "3"))
    assert by_uuid["CUDA_VISIBLE_DEVICES"] == by_uuid["NVIDIA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
    assert by_uuid["TPU_VISIBLE_CHIPS"] == NOTHING["TPU_VISIBLE_CHIPS"]
    assert set(by_number.values()) == {"0,3"}


def test_a_share_is_enforced_where_the_daemon_runs_and_told_elsewhere() -> None:
    """Half a device is half of its multiprocessors, and so much of its memory."""
    half, memory = Accelerators("H100", share_milli=500), Accelerators("H100", memory_bytes=20 << 30)
    assert share_env(half, "pipes")["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "50"
    assert share_env(memory, "pipes")["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=20480M"
    assert share_env(half, "") == {"WEYR_ACCELERATOR_SHARE": "0.5"}
    assert share_env(Accelerators("H100", 2), "pipes") == {}


def test_a_sandbox_is_shown_only_nodes_that_are_there() -> None:
    """A mount of what is missing would keep the task from starting."""
    device = Device("GPU-1", "H100", "H100", 1, nodes=("/dev/null", "/dev/none"))
    assert nodes_of(("GPU-1",), [device]) == ["/dev/null"]
    assert nodes_of((), [device]) == []


def test_a_device_that_is_gone_is_refused() -> None:
    """To start on another one, or on none, would be somebody else's, or a day on the CPU."""
    body = TaskBody(("true",), "/", accelerators=Accelerators("H100", 1), devices=("GPU-1",))
    device = Device("GPU-1", "H100", "H100", 1)
    assert refusal(body, [device]) == ""
    assert "GPU-1" in refusal(body, [])
    assert "no pool" in refusal(TaskBody(("true",), "/", accelerators=Accelerators("H100", 1)), [])
