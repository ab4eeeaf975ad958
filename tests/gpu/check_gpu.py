"""Does what Weyr says of accelerators hold on a machine that has some? Run by hand there; no part of the suite.

    python tests/gpu/check_gpu.py --prepare     # where packages can be installed: fills build/gpu, which travels along
    python3 tests/gpu/check_gpu.py              # on the machine with the GPU: a line for each rule, PASS or FAIL

It needs Python 3.11, the driver, and this tree; bubblewrap and pydantic are taken from build/gpu where the machine has
none, compiled for the Python that prepared them. Under a minute. Exit code 1 if anything failed.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
CARRIED = TREE / "build" / "gpu"
PACKAGES = ("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection")
sys.path[:0] = [str(TREE / "src"), str(CARRIED / "site")]
os.environ["PATH"] = f"{CARRIED / 'bin'}:{os.environ.get('PATH', os.defpath)}"

LOOK = """
import ctypes, glob, json
found = {"nodes": sorted(glob.glob("/dev/nvidia[0-9]*")), "count": 0, "ids": [], "allocated": False}
try:
    cuda = ctypes.CDLL("libcuda.so.1")
    found["init"] = cuda.cuInit(0)
    number = ctypes.c_int()
    if cuda.cuDeviceGetCount(ctypes.byref(number)) == 0:
        found["count"] = number.value
    for n in range(found["count"]):
        device, raw = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        cuda.cuDeviceGet(ctypes.byref(device), n)
        cuda.cuDeviceGetUuid_v2(raw, device)
        found["ids"].append(bytes(raw).hex())
    if found["count"]:
        context, memory = ctypes.c_void_p(), ctypes.c_void_p()
        cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device)
        found["allocated"] = cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(64 << 20)) == 0
except OSError as e:
    found["error"] = str(e)
try:
    import torch
    found["torch"] = torch.cuda.device_count()
except ImportError:
    pass
print("LOOK " + json.dumps(found))
"""


def prepare() -> None:
    """Fills build/gpu with what a bare machine lacks."""
    shutil.rmtree(CARRIED, ignore_errors=True)
    for name in ("bin", "lib", "site"):
        (CARRIED / name).mkdir(parents=True)
    bwrap = shutil.which("bwrap")
    if bwrap:
        _carry_program(Path(bwrap))
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        origin = Path(found.origin if found and found.origin else "")
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, CARRIED / "site" / package, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, CARRIED / "site")
    print(f"{CARRIED} is ready: {sum(f.stat().st_size for f in CARRIED.rglob('*') if f.is_file()) >> 20} MiB")


def _carry_program(program: Path) -> None:
    """With the libraries that it is linked with, but for the C library itself, and started by the loader over there."""
    shutil.copy2(program, CARRIED / "lib")
    loader = ""
    for line in subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if "ld-linux" in line:
            loader = words[0]
        elif len(words) > 2 and not words[0].startswith("libc."):
            shutil.copy2(words[2], CARRIED / "lib")
    starter = CARRIED / "bin" / program.name
    lib = '"$(dirname "$(readlink -f "$0")")/../lib"'
    starter.write_text(f'#!/bin/sh\nexec {loader} --library-path {lib} {lib}/{program.name} "$@"\n')
    starter.chmod(0o755)


def run(folder: Path, devices: list[str], sandbox: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Runs LOOK under the real wrapper with these devices; gives what it saw, and its log."""
    from weyr.attempt import devices as visibility
    from weyr.attempt import nvml
    from weyr.attempt import sandbox as boxes
    from weyr.attempt.task_folder import Order, Ranks

    attempt = folder / f"attempt-{time.monotonic_ns()}"
    work = folder / "work"
    work.mkdir(exist_ok=True)
    (work / "look.py").write_text(LOOK)
    env = {"PATH": os.environ["PATH"], "HOME": str(work), "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
    order: Order = Order(
        id=attempt.name, generation=1, folder=str(attempt), argv=[sys.executable, "look.py"], workdir=str(work),
        env=env | {"WEYR_TASK_FOLDER": str(attempt)}, masks=[], secret_folder="", secret_files={}, cpu=1.0,
        memory_bytes=None, time_limit_s=30.0, grace_s=1.0, agent=[], save_s=1.0, events="", socket="", ports=[],
        group=f"weyr-{time.monotonic_ns():016x}", ranks=Ranks(name="x", size=1, rank=0, port=15000, gpus=0),
        lease_s=0.0, nice=0, processes_max=0, disk_bytes=None, disk_folders=[], sandbox=sandbox, prefix=[], doors=None,
        shipped="", doors_at="127.0.0.1", devices=devices, accelerators=more.get("accelerators"), requirements=[],
        python="",
        build=None, notes=[], image="", container=None,
    )  # fmt: skip
    found = nvml.detect().devices
    order = visibility.visible(order, "")
    order = boxes.confined(order, [str(folder / "weyr")], visibility.nodes_of(devices, found))
    path = folder / "order.json"
    path.write_text(json.dumps(order))
    with subprocess.Popen(
        [sys.executable, "-m", "weyr.attempt", str(path)], env={**os.environ, "PYTHONPATH": str(TREE / "src")}
    ) as wrapper:
        wrapper.wait(60)
    log = "".join(file.read_text() for file in sorted(attempt.glob("*.log")))
    looks = [line for line in log.splitlines() if line.startswith("LOOK ")]
    return {**(json.loads(looks[-1][5:]) if looks else {"count": None}), "log": log}


def is_same(look: dict[str, Any], uuid: str) -> bool:
    """CUDA tells a device's UUID without its dashes."""
    return look["count"] == 1 and bool(look["ids"] == [uuid.split("-", 1)[1].replace("-", "")])


def rules(folder: Path) -> Iterator[tuple[str, bool, str]]:
    from weyr.attempt import nvml, sandbox

    found = nvml.detect()
    first = found.devices[0] if found.devices else None
    kinds = "; ".join(f"{d.name} = {d.model} {d.profile}, {d.memory_bytes >> 30} GiB, {d.nodes}" for d in found.devices)
    yield "NVML finds devices", first is not None, f"driver {found.driver}: {kinds}"
    if first is None:
        return
    smi = shutil.which("nvidia-smi")
    if smi:
        listed = subprocess.run([smi, "-L"], capture_output=True, text=True, check=False).stdout
        yield "nvidia-smi lists the same", all(d.id in listed for d in found.devices), listed.strip()[:300]
    seen = run(folder, [first.id])
    yield (
        "a task sees its device by UUID",
        is_same(seen, first.id) or bool(first.profile and seen["count"] == 1),
        _short(seen),
    )
    yield "and can use its memory", bool(seen.get("allocated")), _short(seen)
    if "torch" in seen:
        yield "torch sees one too", seen["torch"] == 1, _short(seen)
    seen = run(folder, ["0"])
    yield "a declared device is seen by number", seen["count"] == 1, _short(seen)
    seen = run(folder, [])
    yield "who asked for none sees none", seen["count"] == 0, _short(seen)
    every = [d.id for d in found.devices]
    seen = run(folder, every)
    yield "who asked for all sees all", seen["count"] == (1 if first.profile else len(every)), _short(seen)
    seen = run(folder, [first.id], accelerators={"share_milli": 500})
    yield "a share that nobody enforces is said", "not enforced" in seen["log"], _short(seen)
    trouble = sandbox.trouble()
    yield "a sandbox can be made", not trouble, trouble
    if trouble:
        return
    box = {"network": "none", "tmp_bytes": 64 << 20, "reads": [str(TREE)], "writes": []}
    seen = run(folder, [first.id], sandbox=box)
    one = seen["count"] == 1 and seen.get("nodes") == [first.nodes[0]]
    yield "a sandbox shows the device and no other", one, _short(seen)
    yield "and lets it be used", bool(seen.get("allocated")), _short(seen)
    seen = run(folder, [], sandbox=box)
    yield "a sandbox without devices shows none", seen["count"] == 0 and seen.get("nodes") == [], _short(seen)


def engine(folder: Path) -> Iterator[tuple[str, bool, str]]:
    """By the engine itself, which needs pydantic."""
    from weyr.attempt import nvml
    from weyr.core.capability import Accelerators, TaskBody, Wanted
    from weyr.core.ref import Ref, ThingId
    from weyr.engines.local.launcher_client import LauncherClient
    from weyr.engines.local.tasks import local_tasks
    from weyr.sim.identities import SimIssuer, SimSecretValues

    home = folder / "weyr"
    home.mkdir()
    launcher = LauncherClient(home / "l.sock", home / "l.json", home / "log")
    tasks = local_tasks(
        home / "tasks", home / "sockets", home / "cache", launcher, SimIssuer(), SimSecretValues(), dict, time.time
    )
    first = nvml.detect().devices[0]

    def ask(part: str, devices: tuple[str, ...]) -> tuple[ThingId, str]:
        id = ThingId(Ref("gpu", "job", "look"), part)
        wanted = Accelerators(first.model, 1)
        body = TaskBody((sys.executable, "look.py"), str(folder / "work"), accelerators=wanted, devices=devices)
        return id, getattr(tasks.ensure([Wanted(id, 1, body)]).get(id), "reason", "")

    id, refused = ask("1", (first.id,))
    deadline = time.monotonic() + 30
    log = ""
    while "LOOK" not in log and time.monotonic() < deadline and not refused:
        time.sleep(0.05)
        tasks.observe([id])
        log = b"".join(tasks.logs(id)).decode()
    yield "the engine gives a task its device", '"count": 1' in log, refused or log[-300:]
    yield (
        "the engine refuses a device that is gone",
        "does not have" in ask("2", ("GPU-gone",))[1],
        ask("3", ("GPU-gone",))[1],
    )
    yield "and one that nobody chose", "no pool" in ask("4", ())[1], ask("5", ())[1]
    tasks.release([id])
    launcher.stop()


def _short(seen: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in seen.items() if name != "log"}) + (
        "" if seen["count"] is not None else f" log: {seen['log'][-300:]}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prepare", action="store_true", help="fill build/gpu here, and check nothing")
    if parser.parse_args().prepare:
        prepare()
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="weyr-gpu-") as name:
        for group in (rules, engine):
            failed += _tell(group, Path(name))
    return 1 if failed else 0


def _tell(group: Callable[[Path], Iterator[tuple[str, bool, str]]], folder: Path) -> int:
    """Prints what a group finds; a group that cannot be asked has failed."""
    failed = 0
    try:
        for rule, holds, detail in group(folder):
            failed += not holds
            print(f"{'PASS' if holds else 'FAIL'}  {rule}  [{detail}]", flush=True)
    except Exception as e:  # noqa: BLE001 - the edge of a script: what broke is what we want to read
        failed += 1
        print(f"FAIL  {group.__name__} could not go on: {e!r}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
