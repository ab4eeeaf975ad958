"""What may a task see of the accelerators? The variables that its libraries obey, and the nodes a sandbox shows.

A device is named by its UUID where the driver was asked, else by its number. Who asked for none sees none.
"""

import os
from collections.abc import Mapping, Sequence

from weyr.attempt.nvml import Device
from weyr.attempt.task_folder import Order
from weyr.core.capability import Accelerators, TaskBody

SHARED_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/kfd")
"""What every program needs that uses any device; none of them is one."""
NUMBERED_NODES = ("/dev/nvidia{}", "/dev/accel{}", "/dev/dri/renderD{render}")
FIRST_RENDERER = 128
NOTHING: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": "",
    "NVIDIA_VISIBLE_DEVICES": "void",
    "HIP_VISIBLE_DEVICES": "-1",
    "ROCR_VISIBLE_DEVICES": "-1",
    "TPU_VISIBLE_CHIPS": "",
}
MPS_FOLDER = "CUDA_MPS_PIPE_DIRECTORY"
MPS_USUAL_FOLDER = os.path.join("/tmp", "nvidia-mps")
NOT_ENFORCED = "its share of a device is counted and not enforced: no MPS daemon runs, and it sees the whole device"


def visible_env(devices: Sequence[str]) -> dict[str, str]:
    """The variables that let a task see these devices and no others. UUIDs are NVIDIA's; numbers go to every vendor's
    library, each of which counts from 0."""
    if not devices:
        return dict(NOTHING)
    names = ",".join(devices)
    if all(device.isdigit() for device in devices):
        return dict.fromkeys(NOTHING, names)
    return {**NOTHING, "CUDA_VISIBLE_DEVICES": names, "NVIDIA_VISIBLE_DEVICES": names}


def share_env(wanted: Accelerators | None, mps_folder: str) -> dict[str, str]:
    """The variables for a part of a device. NVIDIA's MPS daemon enforces them; without it (`mps_folder` "") they only
    tell the program what it was given."""
    if wanted is None or not (wanted.share_milli or wanted.memory_bytes):
        return {}
    env = {}
    if wanted.share_milli:
        env["WEYR_ACCELERATOR_SHARE"] = f"{wanted.share_milli / 1000:g}"
    if wanted.memory_bytes:
        env["WEYR_ACCELERATOR_MEMORY_BYTES"] = str(wanted.memory_bytes)
    if mps_folder:
        env[MPS_FOLDER] = mps_folder
        if wanted.share_milli:
            env["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = str(max(1, wanted.share_milli // 10))
        if wanted.memory_bytes:
            env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = f"0={max(1, wanted.memory_bytes >> 20)}M"
    return env


def mps_folder(environment: Mapping[str, str]) -> str:
    """Where NVIDIA's MPS daemon listens, "" where none does."""
    folder = environment.get(MPS_FOLDER, MPS_USUAL_FOLDER)
    return folder if os.path.exists(os.path.join(folder, "control")) else ""


def nodes_of(devices: Sequence[str], found: Sequence[Device]) -> list[str]:
    """The nodes under /dev of these devices, as far as they are there."""
    if not devices:
        return []
    known = {device.id: device.nodes for device in found}
    own = [node for name in devices for node in known.get(name) or _numbered(name)]
    return [node for node in dict.fromkeys([*own, *SHARED_NODES]) if os.path.exists(node)]


def refusal(body: TaskBody, found: Sequence[Device]) -> str:
    """Why this task cannot have the devices that were chosen for it, or ""."""
    wanted = body.accelerators
    if wanted is not None and not body.devices:
        return "it asks for accelerators, and no pool of this machine has any that were chosen for it"
    known = {device.id for device in found}
    gone = [name for name in body.devices if not name.isdigit() and name not in known]
    return f"it was to run on {gone[0]}, which this machine does not have (any more)" if gone else ""


def visible(order: Order, mps: str) -> Order:
    """An order whose program sees the devices that were chosen for it, and no others. `mps` as in `share_env`."""
    wanted = Accelerators(**order["accelerators"]) if order["accelerators"] else None
    shared = share_env(wanted, mps)
    notes = [*order["notes"], NOT_ENFORCED] if shared and not mps else order["notes"]
    return order | {"env": order["env"] | visible_env(order["devices"]) | shared, "notes": notes}


def _numbered(name: str) -> list[str]:
    if not name.isdigit():
        return []
    return [form.format(name, render=FIRST_RENDERER + int(name)) for form in NUMBERED_NODES]
