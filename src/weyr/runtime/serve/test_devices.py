"""What PyTorch holds of a device is told where it is loaded: tried on a made-up one, for there may be none here."""

from types import SimpleNamespace
from typing import Any

from weyr.runtime.serve.devices import device_lines

STATS = {
    "reserved_bytes.all.current": 8 << 30,
    "allocated_bytes.all.current": 5 << 30,
    "inactive_split_bytes.all.current": 1 << 30,
}


def pytorch(is_used: bool) -> Any:
    cuda = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: is_used,
        device_count=lambda: 1,
        memory_stats=lambda _index: STATS,
    )
    return SimpleNamespace(cuda=cuda)


def test_reserved_used_and_split_memory_are_told() -> None:
    """Memory that is there and cannot be had looks like a leak to who sees only the driver's figure."""
    lines = [line for line in device_lines(pytorch(is_used=True)) if not line.startswith("#")]

    name = "weyr_replica_accelerator_bytes"
    assert lines == [
        f'{name}{{device="0",state="reserved"}} {8 << 30}',
        f'{name}{{device="0",state="used"}} {5 << 30}',
        f'{name}{{device="0",state="split"}} {1 << 30}',
    ]


def test_a_device_that_nobody_uses_is_left_alone() -> None:
    """To ask it would make a context on it, which takes some hundred megabytes of its memory."""
    assert all(line.startswith("#") for line in device_lines(pytorch(is_used=False)))
