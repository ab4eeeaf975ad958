"""A day on a machine with a GPU: jobs, shares, training, an answering model, the bill and the waste, all on the device.

No part of the suite, which runs where there is none: `pytest tests/gpu/gpu_day.py` where NVIDIA's driver, PyTorch and
transformers are. It never skips: where the driver does not answer it fails. Under three minutes.
"""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from one_user import User, until
from user_life import a_user

from weyr.attempt import nvml

PROGRAMS = Path(__file__).with_name("programs")
PUBLISH = Path(__file__).parents[1] / "e2e" / "publish.py"
PRICE = 8
"""USD an hour, about what a cloud asks for an H100."""
BOX = f"""\
stack: box
pools:
  gpu: {{detect: true, cpu: 4, memory: 24GiB, price: {PRICE} USD, max: 1, idle_after: 20s, cool_down: 100ms}}
"""


def job(program: str, amount: str = "1", more: str = "") -> str:
    resources = f"resources: {{cpu: 1, memory: 5GiB{f', accelerators: {amount}' if amount else ''}}}"
    where = "pool: box:pool/gpu, " if amount else ""
    return f"{{run: '{sys.executable} {PROGRAMS}/{program}', {where}{resources}{more}}}"


@pytest.fixture(scope="module")
def device() -> nvml.Device:
    found = nvml.detect().devices
    assert found, "NVIDIA's driver finds no device here"
    return found[0]


@pytest.fixture(scope="module")
def user(device: nvml.Device) -> Iterator[User]:
    with a_user() as user:
        user.up(BOX)
        yield user
        for (stack,) in user.rows("SELECT name FROM stacks WHERE name <> 'box'"):
            user.weyr("down", "--stack", stack, "--yes")


def begin(user: User, stack: str, jobs: dict[str, str], more: str = "") -> None:
    listed = "".join(f"  {name}: {text}\n" for name, text in jobs.items())
    user.write(f"stack: {stack}\n{more}jobs:\n{listed}", f"{stack}.yaml")
    user.weyr("up", f"{stack}.yaml", "--yes", "--detach")


def ended(user: User, stack: str, name: str) -> str:
    """The log of a job that is done."""
    until(lambda: user.row(f"job/{name}", stack)["phase"] in ("done", "failed"), f"{stack}:job/{name} to end", 120)
    log = user.weyr("logs", f"{stack}:job/{name}").out
    assert user.row(f"job/{name}", stack)["phase"] == "done", log + user.message(f"job/{name}")
    return log


def working(user: User, stack: str, name: str, says: str) -> None:
    until(lambda: says in user.weyr("logs", f"{stack}:job/{name}", status=None).out, f"{stack}:job/{name}: {says}", 90)


def let_go(user: User, name: str) -> None:
    (user.folder / f"{name}.end").touch()


def test_the_doctor_names_the_device_and_its_driver(user: User, device: nvml.Device) -> None:
    """The first question of somebody whose job did not find its GPU."""
    (line,) = [check for check in user.asked("doctor")["checks"] if check["name"] == "gpu"]
    assert device.model in json.dumps(line)
    assert nvml.detect().driver in json.dumps(line)


def test_a_job_has_the_device_it_asked_for_and_others_have_none(user: User, device: nvml.Device) -> None:
    """By what PyTorch finds: that is what a program goes by."""
    begin(user, "see", {"one": job("look.py", f'"{device.model}:1"'), "none": job("look.py", "")})
    assert json.loads(ended(user, "see", "one").splitlines()[-1]) == {"count": 1, "uuids": [device.id]}
    assert json.loads(ended(user, "see", "none").splitlines()[-1])["count"] == 0


def test_two_halves_run_together_and_each_pays_half(user: User, device: nvml.Device) -> None:
    """Two programs on one device at a time; the bill shares its price by what each was given."""
    begin(user, "half", {"a": job("hold.py a", "0.5"), "b": job("hold.py b", "0.5")})
    for name in "ab":
        working(user, "half", name, f"{name} holds")
    assert {user.row(f"job/{name}", "half")["phase"] for name in "ab"} == {"working"}
    metrics = user.request("GET", "/metrics")[1]
    used = re.search(r'^weyr_gpu_memory_bytes\{[^}]*state="used"[^}]*\} ([0-9.e+]+)', metrics, re.M)
    assert used, "the driver's figures are in the metrics"
    assert float(used[1]) > 2 << 30
    threading.Event().wait(3)  # something to share out
    for name in "ab":
        let_go(user, name)
        ended(user, "half", name)
    for row in user.asked("cost", "--by", "thing")["rows"]:
        if row["key"].startswith("half:job/"):
            ran_s = ran_ms(user, row["key"]) / 1000
            assert row["micros"] == pytest.approx(PRICE * 1e6 / 2 * ran_s / 3600, rel=0.05), (row, ran_s)


def ran_ms(user: User, thing: str) -> float:
    """For how long a task ran, by the record that its wrapper left."""
    from urllib.parse import quote

    end = json.loads((user.home / "tasks" / ".archive" / quote(thing, safe="") / "exit.json").read_text())
    return float(end["ended_at"] - end["started_at"]) * 1000


def test_an_interrupted_training_ends_with_the_same_loss(user: User) -> None:
    """Reclaimed in the middle, resumed on the device from its checkpoint: to the last digit as if nothing had been."""
    steps, saved = 12_000, ", spot: true, checkpoint: {bucket: lake, every: 500ms}"
    more = "buckets: {lake: {}}\n"
    begin(user, "whole", {"train": job(f"train_on_gpu.py {steps}")})
    whole = ended(user, "whole", "train")
    begin(user, "cut", {"train": job(f"train_on_gpu.py {steps}", more=saved)}, more)
    working(user, "cut", "train", "began on")
    until(lambda: user.row("job/train", "cut")["outputs"].get("saved"), "a checkpoint in the bucket")
    user.weyr("chaos", "reclaim", "cut:job/train", "--notice", "10s")
    cut = ended(user, "cut", "train")
    assert int(user.weyr("logs", "cut:job/train#1").out.split("stopped at ")[1].split()[0]) < steps
    assert "resumed at" in cut
    assert cut.split("loss ")[1].split()[0] == whole.split("loss ")[1].split()[0]


def test_what_computes_nothing_is_found_with_its_price(user: User, device: nvml.Device) -> None:
    """A job that holds a device and sleeps is on the list; one that computes is not."""
    begin(user, "idle", {"sleeper": job("hold.py sleeper")})
    working(user, "idle", "sleeper", "holds")

    def found(name: str) -> list[dict[str, Any]]:
        listed = user.api("GET", "/v1/advice?idle=8s")["savings"]
        return [each for each in listed if each["rule"] == "idle-gpu" and each["ref"] == f"job/{name}"]

    (saving,) = until(lambda: found("sleeper"), "the sleeper to be found", 60)
    assert "computed nothing" in saving["detail"]
    let_go(user, "sleeper")
    ended(user, "idle", "sleeper")
    begin(user, "busy", {"worker": job("hold.py worker busy")})
    working(user, "busy", "worker", "holds")
    busy = "weyr_gpu_utilization_ratio{"
    until(
        lambda: any(
            float(line.rsplit(" ", 1)[1]) > 0.5
            for line in user.request("GET", "/metrics")[1].splitlines()
            if line.startswith(busy)
        ),
        "the driver to say that it computes",
    )
    threading.Event().wait(12)  # longer than the idleness that was asked for, so that it could have been found
    assert not found("worker")
    let_go(user, "worker")
    ended(user, "busy", "worker")


def chat(user: User, path: str, tokens: int) -> dict[str, Any]:
    asked = {"model": "llama", "messages": [{"role": "user", "content": "w1 w2 w3"}], "max_tokens": tokens}
    return dict(user.api("POST", f"{path}/v1/chat/completions", asked, at=user.url("inference")))


def rate(user: User, path: str, at_once: int, tokens: int) -> float:
    """Tokens per second that an endpoint writes."""
    begun = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        answers = list(pool.map(lambda _: chat(user, path, tokens), range(at_once)))
    tokens = sum(int(answer["usage"]["completion_tokens"]) for answer in answers)
    return tokens / (time.monotonic() - begun)


def test_a_language_model_answers_from_the_device(user: User, device: nvml.Device) -> None:
    """Trained, registered, served: its weights are on the device, whose bytes are told by replica, and it is billed."""
    folder = user.folder / "llama"
    make = f"{sys.executable} {PROGRAMS}/llama.py {folder} && {sys.executable} {PUBLISH} {folder} 1"
    resources = "resources: {cpu: 1, memory: 8GiB"
    user.write(
        f"""\
stack: talk
buckets: {{lake: {{}}}}
jobs:
  make: {{run: '{make}', {resources}}}, artifacts: lake, produces: model/llama}}
models: {{llama: {{promote_if: {{accuracy: '>= 0.9'}}}}}}
endpoints:
  gpu: {{model: llama@production, pool: box:pool/gpu, {resources}, accelerators: 1}}}}
  cpu: {{model: llama@production, {resources}}}}}
"""
    )
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.row("endpoint/gpu", "talk").get("phase") == "ready", "the device's endpoint to be ready", 120)
    until(lambda: user.row("endpoint/cpu", "talk").get("phase") == "ready", "the other to be ready", 120)
    chat(user, "/talk/gpu", 4)
    metrics = user.request("GET", "/-/metrics/inference")[1]
    everything = metrics + user.request("GET", "/metrics")[1]
    assert re.search(rf'^weyr_gpu_replica\{{device="{device.id}",endpoint="talk/gpu"', everything, re.M), everything
    rates = {f"{path} x {n}": round(rate(user, f"/talk/{path}", n, 32), 1) for path in ("cpu", "gpu") for n in (1, 8)}
    print("tokens/s", json.dumps(rates))
    assert rates["gpu x 1"] > rates["cpu x 1"]
    bill = {row["key"]: row["micros"] for row in user.asked("cost", "--by", "object")["rows"]}
    assert bill["talk:endpoint/gpu"] > 0
    user.weyr("down", "--stack", "talk", "--yes")


def test_with_mps_a_part_of_the_memory_is_all_there_is(user: User, device: nvml.Device) -> None:
    """Without NVIDIA's MPS daemon a share is an agreement, which the log says; with it, it is a limit."""
    gib = device.memory_bytes >> 30
    part = f'"{device.model}:{gib // 4}GiB"'
    begin(user, "agreed", {"much": job(f"take.py {gib // 2}", part)})
    agreed = ended(user, "agreed", "much")
    assert "took" in agreed
    assert "not enforced" in agreed
    subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
    try:
        begin(user, "held", {"much": job(f"take.py {gib // 2}", part), "less": job(f"take.py {gib // 8}", part)})
        assert "refused" in ended(user, "held", "much")
        assert "took" in ended(user, "held", "less")
    finally:
        subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=True)
