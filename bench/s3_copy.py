"""How fast do `weyr cp` and `weyr sync` copy, beside `aws s3` and rclone?

    python bench/s3_copy.py [--files 1000] [--large-mib 1024] [--times 3]

Each row is one whole command, its start included, against the same S3 plane: 1,000 files of 4 KiB sent, sent again with
nothing to do, fetched into an empty folder, and one large file each way. Every time begins with an empty bucket or
folder; the best of `--times` counts, and the CPU seconds are the command's own, of that time. Tools that are not
installed are left out.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "clients"))
from s3_plane import ADMIN, S3Plane, running_s3

KIB, MIB = 1024, 1024 * 1024
BIN = Path(sys.executable).parent
BUCKET = "bench"

Command = Callable[[str, str], list[str]]


@dataclass(frozen=True)
class Tool:
    """How a tool is told to sync a folder, and to copy one file."""

    name: str
    sync: Command
    copy: Command
    remote: str
    """How it calls the bucket."""


@dataclass(frozen=True)
class Took:
    wall_s: float
    cpu_s: float


def tools(s3: S3Plane) -> Iterator[Tool]:
    weyr, aws = str(BIN / "weyr"), str(BIN / "aws")
    yield Tool("weyr", lambda a, b: [weyr, "sync", a, b], lambda a, b: [weyr, "cp", a, b], f"s3://{BUCKET}/")
    if Path(aws).exists():
        quiet = "--only-show-errors"
        yield Tool(
            "aws s3",
            lambda a, b: [aws, "s3", "sync", quiet, a, b],
            lambda a, b: [aws, "s3", "cp", quiet, a, b],
            f"s3://{BUCKET}/",
        )
    if rclone := shutil.which("rclone"):
        yield Tool(
            "rclone",
            lambda a, b: [rclone, "sync", a, b],
            lambda a, b: [rclone, "copyto", a, b],
            f":s3,provider=Other,env_auth,endpoint='{s3.url}':{BUCKET}/",
        )


def run(command: list[str], environment: Mapping[str, str]) -> Took:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    took_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return Took(took_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def emptied(s3: S3Plane) -> None:
    s3.ask("DELETE", f"/buckets/{BUCKET}?force=1")
    s3.client().create_bucket(Bucket=BUCKET)


def measured(s3: S3Plane, tool: Tool, folder: Path, environment: Mapping[str, str]) -> dict[str, Took]:
    """Each row once, in an order in which one makes what the next one needs."""
    emptied(s3)
    many, large, back = f"{folder}/many/", f"{folder}/large", folder / "back"
    shutil.rmtree(back, ignore_errors=True)
    found = {
        "send the files": run(tool.sync(many, f"{tool.remote}many/"), environment),
        "send them again": run(tool.sync(many, f"{tool.remote}many/"), environment),
        "fetch the files": run(tool.sync(f"{tool.remote}many/", f"{back}/"), environment),
        "send the large one": run(tool.copy(large, f"{tool.remote}large"), environment),
        "fetch the large one": run(tool.copy(f"{tool.remote}large", f"{back}/large"), environment),
    }
    assert sum(1 for path in back.rglob("*") if path.is_file()) == sum(1 for _ in Path(many).rglob("*.bin")) + 1
    return found


@contextmanager
def filled(files: int, large_mib: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for number in range(files):
            path = folder / "many" / f"{number % 10}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(4 * KIB))
        with (folder / "large").open("wb") as large:
            for _ in range(large_mib):
                large.write(os.urandom(MIB))
        yield folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--large-mib", type=int, default=1024)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    best: dict[str, dict[str, Took]] = {}
    with filled(options.files, options.large_mib) as folder, running_s3(folder / "plane") as s3:
        environment = {
            **s3.environment(),
            "WEYR_HOME": str(folder / "home"),
            "AWS_ACCESS_KEY_ID": ADMIN[0],
            "RCLONE_CONFIG": os.devnull,
        }
        environment.pop("AWS_CA_BUNDLE", None)  # rclone does not start with one, and nothing here is encrypted
        for _ in range(options.times):
            for tool in tools(s3):
                for row, took in measured(s3, tool, folder, environment).items():
                    rows = best.setdefault(row, {})
                    rows[tool.name] = min(rows.get(tool.name, took), took, key=lambda one: one.wall_s)
    print(f"{options.files} files of 4 KiB, one of {options.large_mib} MiB; best of {options.times}, CPU seconds in []")
    for row, by_tool in best.items():
        ours = by_tool["weyr"]
        texts = [
            f"{name} {took.wall_s:.2f} s [{took.cpu_s:.2f}]"
            + ("" if name == "weyr" else f" = {took.wall_s / ours.wall_s:.1f} x")
            for name, took in by_tool.items()
        ]
        print(f"{row:20} {'   '.join(texts)}")


if __name__ == "__main__":
    main()
