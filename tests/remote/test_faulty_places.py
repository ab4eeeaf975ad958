"""What happens when a place elsewhere hangs, cuts, fails, lies, or we die in the middle: nothing wrong is given out."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, IncompleteReadError, ResponseStreamingError
from faulty_line import FaultyLine, faulty_line
from remote_places import KEYS
from s3_plane import S3Plane, running_s3
from test_s3_serve import USERS, Served, served
from test_tiers import LARGE, MB, NOW, cold, files_in, rows, until

WEIGHTS = random.Random(18).randbytes(18 * MB) + b"tail"
BROKEN = (ClientError, ConnectionClosedError, IncompleteReadError, ResponseStreamingError)
WEYR = Path(sys.executable).with_name("weyr")


@dataclass
class Far:
    """Another Weyr with the bucket `far`, behind a line that can be faulty."""

    peer: S3Plane
    line: FaultyLine

    @property
    def url(self) -> str:
        return f"s3://far?endpoint={self.line.url}"

    def keys(self, name: str) -> dict[str, str]:
        return {f"WEYR_REMOTE_{name}_{key.upper()}": value for key, value in KEYS.items()}

    @property
    def names(self) -> list[str]:
        listed = self.peer.client().list_objects_v2(Bucket="far")
        return [entry["Key"] for entry in listed.get("Contents", [])]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    with running_s3(tmp_path / "peer") as peer, faulty_line(peer.url) as line:
        peer.client().create_bucket(Bucket="far")
        yield Far(peer, line)


@contextmanager
def mounted(folder: Path, far: Far, *arguments: str) -> Iterator[Served]:
    with served(folder / "near", *USERS, f"--remote=weights={far.url}", *arguments, **far.keys("WEIGHTS")) as near:
        yield near


def read(s3: Any, key: str = "key", bucket: str = "weights") -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def size_of(folder: Path) -> int:
    """Of all its files; one that went meanwhile has none."""
    size = 0
    for file in files_in(folder):
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


@pytest.mark.parametrize("fault", ["cut", "500"])
def test_a_place_that_fails_gives_an_error_and_then_the_bytes(fault: str, far: Far, tmp_path: Path) -> None:
    """Never a short object, and nothing of the failure stays in the cache."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    with mounted(tmp_path, far) as near:
        s3 = near.client("ann")
        far.line.set(fault)
        with pytest.raises(BROKEN):
            read(s3)
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="weights", Key="other", Body=b"x") if fault == "500" else read(s3)
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        far.line.set("")
        assert read(s3) == WEIGHTS
        assert far.names == ["key"]


def test_what_is_cached_outlives_the_place_only_as_long_as_it_can_be_asked(far: Far, tmp_path: Path) -> None:
    """A cache that answers while the place is away could give what was replaced: it says 503."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    with mounted(tmp_path, far) as near:
        s3 = near.client("ann")
        assert read(s3) == WEIGHTS
        far.line.set("500")
        with pytest.raises(ClientError) as caught:
            read(s3)
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        far.line.set("")
        far.peer.client().put_object(Bucket="far", Key="key", Body=b"replaced behind our back")
        assert read(s3) == b"replaced behind our back"


@pytest.mark.parametrize("workers", [1, 2])
def test_many_readers_fetch_a_block_once_a_process(workers: int, far: Far, tmp_path: Path) -> None:
    """Sixteen tasks that begin at the same moment cost the place what one does, or one for each of our processes."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    with mounted(tmp_path, far, f"--workers={workers}") as near:
        s3 = near.client("ann", "")
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda _: hashlib.md5(read(s3)).digest(), range(16)))
        assert set(found) == {hashlib.md5(WEIGHTS).digest()}
        sent = far.peer.ask("GET", "/stats")[1]["bytes_out"]
        assert len(WEIGHTS) < sent < workers * len(WEIGHTS) + MB


def test_a_flipped_bit_in_the_cache_is_fetched_again(far: Far, tmp_path: Path) -> None:
    """The SSD is not trusted."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    with mounted(tmp_path, far) as near:
        s3 = near.client("ann")
        assert read(s3) == WEIGHTS
        kept = tmp_path / "near" / "cache" / "blocks"
        until(lambda: len(files_in(kept)) == 3, "the blocks are not kept")  # the last may be after its answer
        blocks = files_in(kept)
        for file in blocks:
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 16
            file.write_bytes(data)
        assert read(s3) == WEIGHTS


def test_a_cache_smaller_than_what_is_read_stays_in_its_bound(far: Far, tmp_path: Path) -> None:
    """And without any it passes through."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    for size, bound in (("9MiB", 9 * MB), ("0", 0)):
        with mounted(tmp_path, far, f"--cache-size={size}") as near:
            s3 = near.client("ann")
            with ThreadPoolExecutor(4) as pool:
                assert all(body == WEIGHTS for body in pool.map(lambda _, s3=s3: read(s3), range(4)))
            if bound:
                assert size_of(tmp_path / "near" / "cache" / "blocks") <= bound


def test_killed_while_it_fills_the_cache(far: Far, tmp_path: Path) -> None:
    """What was half written is not there afterwards, and the room is."""
    far.peer.client().put_object(Bucket="far", Key="key", Body=WEIGHTS)
    for _ in range(3):
        with mounted(tmp_path, far, "--cache-size=20MiB") as near:
            body = near.client("ann").get_object(Bucket="weights", Key="key")["Body"]
            body.read(MB)
            near.process.send_signal(signal.SIGKILL)
            near.process.wait()
    with mounted(tmp_path, far, "--cache-size=20MiB") as near:
        assert read(near.client("ann")) == WEIGHTS
        # The last block may be kept after its answer.
        until(lambda: not files_in(tmp_path / "near" / "cache" / "arriving"), "what was half written is still there")
        assert size_of(tmp_path / "near" / "cache" / "blocks") <= 20 * MB


def test_a_broken_upload_leaves_nothing_at_the_place(far: Far, tmp_path: Path) -> None:
    """Neither an object nor parts of one that would be paid for."""
    with mounted(tmp_path, far) as near:
        s3 = near.client("ann")
        far.line.set("500")
        with pytest.raises(ClientError):
            s3.put_object(Bucket="weights", Key="key", Body=WEIGHTS)
        far.line.set("")
        with pytest.raises(ClientError):
            s3.put_object(Bucket="weights", Key="key", Body=WEIGHTS, ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        assert far.names == []
        uploads = far.peer.client().list_multipart_uploads
        until(lambda: "Uploads" not in uploads(Bucket="far"), "parts of it are still at the place")
        s3.put_object(Bucket="weights", Key="key", Body=WEIGHTS)
        assert read(s3) == WEIGHTS
        until(lambda: not files_in(tmp_path / "near" / "incoming"), "what came in is still here")


@contextmanager
def tiered(folder: Path, far: Far) -> Iterator[Served]:
    line = [*USERS, f"--tier=COLD={far.url}", "--lifecycle-day=1s", "--cache-size=0"]
    with served(folder / "near", *line, **far.keys("COLD")) as near:
        yield near


def at_tier(folder: Path) -> int:
    return int(rows(folder, "SELECT count(*) FROM objects WHERE segments LIKE 'a%'")[0][0])


@pytest.mark.parametrize("fault", ["cut", "500", "flip"])
def test_a_tier_that_fails_keeps_nothing_and_loses_nothing(fault: str, far: Far, tmp_path: Path) -> None:
    """What could not be put and read back whole stays here; what was half put there is removed."""
    far.line.set(fault)
    with tiered(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="key", Body=LARGE[: 3 * MB])
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold(NOW))
        until(lambda: "s3.tier_silent" in (tmp_path / "near.log").read_text(), "the tier was never asked")
        assert at_tier(tmp_path) == 0
        assert read(s3, bucket="lake") == LARGE[: 3 * MB]
        far.line.set("")
        until(lambda: at_tier(tmp_path) == 1, "it did not move when the tier was well again")
        assert read(s3, bucket="lake") == LARGE[: 3 * MB]
        until(lambda: len(far.names) == 1, "what was half put is still there")


def test_killed_at_any_moment_of_a_move(far: Far, tmp_path: Path) -> None:
    """Every object is there and whole after each death, here or at the tier; and in the end the tier holds no more."""
    bodies = {f"key{n}": LARGE[n * MB : (n + 2) * MB] for n in range(12)}
    with tiered(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        for key, body in bodies.items():
            s3.put_object(Bucket="lake", Key=key, Body=body)
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold(NOW))
    for deaths in range(30):
        with tiered(tmp_path, far) as near:
            s3 = near.client("ann")
            key = f"key{deaths % 12}"
            assert read(s3, key, "lake") == bodies[key]
            until(lambda: rows(tmp_path, "SELECT 1 FROM removals") or at_tier(tmp_path) == 12, "nothing moves")
            near.process.send_signal(signal.SIGKILL)
            near.process.wait()
        if at_tier(tmp_path) == 12:
            break
    with tiered(tmp_path, far) as near:
        s3 = near.client("ann")
        until(lambda: at_tier(tmp_path) == 12, "not all of them moved")
        until(lambda: not rows(tmp_path, "SELECT 1 FROM removals"), "removals wait")
        assert {key: read(s3, key, "lake") for key in bodies} == bodies
        until(lambda: len(far.names) == 12, "the tier holds what nobody names")
        until(lambda: not files_in(tmp_path / "near" / "blobs"), "blobs stay here that are there")
    done = subprocess.run(
        [str(WEYR), "s3", "fsck", "--data", str(tmp_path / "near")], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_counts_of_what_is_away_are_checked(far: Far, tmp_path: Path) -> None:
    """A count that drifted would keep bytes for ever, or remove those that are needed; fsck mends it."""
    with tiered(tmp_path, far) as near:
        s3 = near.client("ann")
        s3.create_bucket(Bucket="lake")
        s3.put_object(Bucket="lake", Key="key", Body=LARGE[:MB])
        s3.put_bucket_lifecycle_configuration(Bucket="lake", LifecycleConfiguration=cold(NOW))
        until(lambda: at_tier(tmp_path) == 1, "it did not move")
    db = sqlite3.connect(tmp_path / "near" / "index.db")
    with db:
        db.execute("UPDATE away SET refs = 7")
    db.close()
    fsck = [str(WEYR), "s3", "fsck", "--data", str(tmp_path / "near")]
    found = subprocess.run(fsck, capture_output=True, text=True)
    assert "named 1 times and counted 7" in found.stdout + found.stderr
    subprocess.run([*fsck, "--repair"], capture_output=True, check=False)
    assert subprocess.run(fsck, capture_output=True).returncode == 0
