"""How fast is a bucket in a second place, and how far behind is it while it is written to?

Two planes of this machine and a folder; beside them the AWS CLI, which carries the same bucket from the one to the
other by way of a folder, since it knows one address at a time. What each has to do differs: replication keeps type,
metadata, tags, checksum and moment, and fsyncs; the CLI looks at both sides and keeps the type.

    python bench/replication.py [--objects 1000] [--large 4]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

WEYR = Path(sys.executable).with_name("weyr")
AWS = Path(sys.executable).with_name("aws")
KEY, SECRET = "BENCHKEY", "bench-secret-bench-secret"
SMALL_BYTES, LARGE_BYTES = 4096, 64 * 2**20
WRITERS = 4
DONE_S = 600.0


@contextmanager
def served(data: Path, *arguments: str) -> Iterator[str]:
    """A plane; gives its URL."""
    keys = {"WEYR_REMOTE_BACK_ACCESS_KEY_ID": KEY, "WEYR_REMOTE_BACK_SECRET_ACCESS_KEY": SECRET}
    command = [str(WEYR), "s3", "serve", "--data", str(data), "--port", "0", "--json", f"--user=bench:{KEY}:{SECRET}"]
    with data.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | keys
        )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(30)


def client(url: str) -> Any:
    config = Config(max_pool_connections=16, s3={"addressing_style": "path"})
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=config, **keys)


def replicate(url: str, bucket: str, target: str) -> None:
    environment = os.environ | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": url}
    command = [str(WEYR), "s3", "replicate", bucket, "--to", target]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def lag_of(data: Path, bucket: str) -> dict[str, Any]:
    command = [str(WEYR), "s3", "replication", "--data", str(data), "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return next(lag for lag in found if lag["bucket"] == bucket)


def caught_up(data: Path, url: str, bucket: str, target: str) -> float:
    """Asks for replication and gives the seconds until nothing waits, give or take a look (0.3 s)."""
    began = time.monotonic()
    replicate(url, bucket, target)
    while True:
        lag = lag_of(data, bucket)
        if not lag["waiting"] and not lag["is_scanning"]:
            return time.monotonic() - began
        assert time.monotonic() - began < DONE_S, lag


def written(s3: Any, bucket: str, names: list[str], size: int) -> float:
    """Puts objects by a few writers; gives the seconds it took."""
    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=bucket, Key=name, Body=os.urandom(size)), names))
    return time.monotonic() - began


def behind(s3: Any, data: Path, bucket: str, count: int) -> tuple[float, float, float]:
    """(puts a second, median lag, highest lag) while a bucket that is replicated is written to."""
    lags = []
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(written, s3, bucket, [f"more{n}" for n in range(count)], SMALL_BYTES)
        while not writing.done():
            lags.append(lag_of(data, bucket)["lag_s"])
    lags.sort()
    return count / writing.result(), lags[len(lags) // 2], lags[-1]


def synced(here: str, there: str, bucket: str, folder: Path) -> float:
    """The AWS CLI from one to the other; gives the seconds it took."""
    folder.mkdir()
    environment = os.environ | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
    began = time.monotonic()
    for url, source, target in ((here, f"s3://{bucket}", str(folder)), (there, str(folder), f"s3://{bucket}-sync")):
        command = [str(AWS), "--endpoint-url", url, "s3", "sync", source, target, "--only-show-errors"]
        subprocess.run(command, env=environment, check=True)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1000, help="of 4 KiB")
    parser.add_argument("--large", type=int, default=4, help="of 64 MiB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weyr-bench-") as made:
        folder = Path(made)
        (folder / "disk").mkdir()
        with served(folder / "back") as back:
            places = [f"--replica=back={back}", f"--replica=disk=file://{folder / 'disk'}"]
            with served(folder / "front", *places) as front:
                measure(folder, front, back, options.objects, options.large)


def measure(folder: Path, front: str, back: str, objects: int, large: int) -> None:
    here, there = client(front), client(back)
    for bucket in ("small", "large", "small-disk", "large-disk"):
        here.create_bucket(Bucket=bucket)
        there.create_bucket(Bucket=bucket)
        is_small = bucket.startswith("small")
        written(here, bucket, [f"k{n}" for n in range(objects if is_small else large)],
                SMALL_BYTES if is_small else LARGE_BYTES)  # fmt: skip
    data = folder / "front"
    for place, suffix, target in (("another Weyr", "", "back"), ("a folder", "-disk", "disk")):
        took = caught_up(data, front, f"small{suffix}", target)
        print(f"{place}: {objects} objects of 4 KiB in {took:.1f} s, {objects / took:.0f} a second")
        took = caught_up(data, front, f"large{suffix}", target)
        print(f"{place}: {large} objects of 64 MiB in {took:.1f} s, {large * 64 / took:.0f} MiB/s")
    puts, median, highest = behind(here, data, "small", objects)
    print(
        f"another Weyr, while {puts:.0f} objects a second are put: lag {median:.2f} s median, {highest:.2f} s at most"
    )
    for bucket, count, unit in (("small", 2 * objects, "objects"), ("large", large * 64, "MiB")):
        there.create_bucket(Bucket=f"{bucket}-sync")
        took = synced(front, back, bucket, folder / f"{bucket}-sync")
        print(f"aws s3 sync by way of a folder: {count} {unit} in {took:.1f} s, {count / took:.0f} {unit} a second")


if __name__ == "__main__":
    main()
