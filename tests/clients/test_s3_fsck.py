"""`weyr s3 fsck` and `weyr s3 scrub` over real folders: what they find, what they mend, and what they leave alone."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from s3_plane import S3Plane, running_s3
from test_s3_rot import blobs_of, file_of, turn_bit, uploaded

WEYR = Path(sys.executable).with_name("weyr")
WHOLE, FAILED, MENDED, DAMAGED = 0, 1, 3, 4
MIB = 2**20
BODIES = {"small": b"in the index", "large": os.urandom(300_000), "other": os.urandom(200_000)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stopped store with objects of every kind, versions, and an upload that is not finished."""
    with running_s3(tmp_path_factory.mktemp("fsck")) as plane:
        client = plane.client()
        for bucket in ("lake", "versions"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        for key, body in BODIES.items():
            client.put_object(Bucket="lake", Key=key, Body=body)
            client.put_object(Bucket="versions", Key="key", Body=body)
        client.put_object(Bucket="lake", Key="sealed", Body=BODIES["large"], ServerSideEncryption="AES256")
        client.copy_object(Bucket="lake", Key="copy", CopySource="lake/large")
        uploaded(client, "parts", [os.urandom(5 * MIB), b"the rest"])
        upload = client.create_multipart_upload(Bucket="lake", Key="open")["UploadId"]
        client.upload_part(Bucket="lake", Key="open", UploadId=upload, PartNumber=1, Body=b"so far")
        client.delete_object(Bucket="versions", Key="key")
        plane.stop()
        yield plane.folder


@pytest.fixture
def store(original: Path, tmp_path: Path) -> S3Plane:
    """A copy of it, stopped."""
    shutil.copytree(original, tmp_path / "plane")
    return S3Plane(tmp_path / "plane", 0, tmp_path, {})


def weyr(*arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run([str(WEYR), "s3", *arguments, "--json"], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def fsck(store: S3Plane, *arguments: str) -> tuple[int, list[str]]:
    """The exit status, and the kinds of what was found."""
    code, said, _ = weyr("fsck", "--data", str(store.folder / "s3"), *arguments)
    return code, [finding["kind"] for finding in said["findings"]]


def change(store: S3Plane, sql: str, *values: object) -> None:
    with sqlite3.connect(store.folder / "s3" / "index.db") as db:
        db.execute(sql, values)
    db.close()


def test_a_store_that_was_stopped_is_whole(store: S3Plane) -> None:
    assert fsck(store) == (WHOLE, [])
    assert fsck(store, "--repair") == (WHOLE, [])
    code, said, _ = weyr("scrub", "--data", str(store.folder / "s3"))
    assert (code, said["damaged"]) == (WHOLE, [])


BOOKKEEPING: dict[str, tuple[str, str]] = {
    "a count that is too high": ("UPDATE blobs SET refs = refs + 1 WHERE data IS NOT NULL", "count"),
    "a count that is too low": ("UPDATE blobs SET refs = refs - 1 WHERE refs > 1", "count"),
    "a bucket's objects": ("UPDATE buckets SET objects = objects + 7 WHERE name = 'lake'", "counter"),
    "a bucket's bytes": ("UPDATE buckets SET size_bytes = 0 WHERE name = 'versions'", "counter"),
    "what is of a class": (
        "INSERT INTO classes (bucket, class, objects, size_bytes, reads) SELECT id, 'COLD', 3, 9, 7 FROM buckets",
        "counter",
    ),
    "a part of no upload": ("DELETE FROM uploads", "homeless"),
    "a bucket that is gone": ("DELETE FROM buckets WHERE name = 'versions'", "homeless"),
    "a blob that is not counted": ("DELETE FROM blobs WHERE data IS NULL AND refs = 2", "uncounted"),
}


@pytest.mark.parametrize("case", BOOKKEEPING)
def test_bookkeeping_is_found_and_mended(store: S3Plane, case: str) -> None:
    """Afterwards all is well, and every object is read as it was put."""
    sql, kind = BOOKKEEPING[case]
    change(store, sql)
    code, kinds = fsck(store)
    assert code == DAMAGED
    assert kind in kinds

    assert fsck(store, "--repair")[0] == MENDED
    assert fsck(store) == (WHOLE, [])
    with running_s3(store.folder) as plane:
        for key, body in BODIES.items():
            assert plane.client().get_object(Bucket="lake", Key=key)["Body"].read() == body
        buckets = {bucket["Name"] for bucket in plane.client().list_buckets()["Buckets"]}
        assert len(buckets) == 2


def flip(store: S3Plane, key: str) -> None:
    turn_bit(file_of(store, blobs_of(store, key)[0]), 77)


DAMAGES: dict[str, Callable[[S3Plane], None]] = {
    "plain": lambda store: flip(store, "other"),
    "encrypted": lambda store: flip(store, "sealed"),
    "a part": lambda store: flip(store, "parts"),
    "cut": lambda store: os.truncate(file_of(store, blobs_of(store, "other")[0]), 100),
    "longer": lambda store: os.truncate(file_of(store, blobs_of(store, "other")[0]), 300_001),
    "gone": lambda store: file_of(store, blobs_of(store, "other")[0]).unlink(),
    "in the index": lambda store: change(
        store, "UPDATE blobs SET data = CAST('in the IndeX' AS BLOB) WHERE id = ?", blobs_of(store, "small")[0]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bytes_are_told_by_their_object_and_never_thrown_away(store: S3Plane, damage: str) -> None:
    """What is there of them is in lost+found afterwards; the object is refused, and can be deleted."""
    DAMAGES[damage](store)
    data = store.folder / "s3"
    code, said, _ = weyr("scrub", "--data", str(data))
    assert code == DAMAGED
    (finding,) = said["damaged"]
    assert finding["objects"]
    assert finding["objects"][0].startswith("lake/")

    assert fsck(store) == (DAMAGED, ["damaged"])
    there = sum(path.stat().st_size for path in (data / "blobs").glob("*/*"))
    assert fsck(store, "--repair") == (DAMAGED, ["damaged"])
    lost = sum(path.stat().st_size for path in (data / "lost+found").glob("*")) if damage != "gone" else 0
    kept = sum(path.stat().st_size for path in (data / "blobs").glob("*/*"))
    assert kept + lost == there if damage != "in the index" else lost == len(BODIES["small"])
    key = finding["objects"][0].removeprefix("lake/")
    with running_s3(store.folder) as plane:
        client = plane.client()
        with pytest.raises(client.exceptions.ClientError, match="InternalError"):
            client.get_object(Bucket="lake", Key=key)
        client.delete_object(Bucket="lake", Key=key)
        plane.stop()
    assert fsck(store) == (WHOLE, [])


def test_what_no_answer_ever_named_is_removed(store: S3Plane) -> None:
    """A body that was still coming, and a file without a row: the kinds of rest that a crash leaves."""
    data = store.folder / "s3"
    (data / "incoming" / "99999999").write_bytes(b"half of a b")
    (data / "blobs" / "0000ffff").mkdir()
    (data / "blobs" / "0000ffff" / "0ffff001").write_bytes(b"nobody's")
    (data / "blobs" / "0000ffff" / "notes.txt").write_bytes(b"somebody's, and no blob")

    assert sorted(fsck(store)[1]) == ["leftover", "orphan", "orphan"]
    assert fsck(store, "--repair")[0] == MENDED
    assert fsck(store) == (WHOLE, [])
    assert [path.name for path in (data / "lost+found").iterdir()] == ["notes.txt"]


def test_a_store_that_is_served_is_not_checked(original: Path, store: S3Plane) -> None:
    """It would find what is only on its way, and mend what nobody broke; scrubbing goes on beside."""
    with running_s3(store.folder) as plane:
        code, _, said = weyr("fsck", "--data", str(plane.folder / "s3"), "--repair")
        assert code == FAILED
        assert "Stop it first" in said
        flip(plane, "other")
        code, found, _ = weyr("scrub", "--data", str(plane.folder / "s3"))
        assert code == DAMAGED
        assert found["damaged"][0]["objects"] == ["lake/other"]


def test_a_folder_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    for verb in ("fsck", "scrub"):
        code, _, said = weyr(verb, "--data", str(tmp_path))
        assert code == FAILED
        assert str(tmp_path) in said
    assert not list(tmp_path.iterdir())


INDEX_LOSSES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda index: os.truncate(index, 0),
    "cut in half": lambda index: os.truncate(index, index.stat().st_size // 2),
    "overwritten": lambda index: index.write_bytes(os.urandom(100_000)),
}


@pytest.mark.parametrize("loss", INDEX_LOSSES)
def test_a_lost_index_begins_again_from_the_copy_that_the_plane_keeps(store: S3Plane, loss: str) -> None:
    """What was put after the copy has no name any more: its bytes are in lost+found, and nothing is thrown away."""
    data = store.folder / "s3"
    copy = (data / "index.backup.db").read_bytes()
    late = os.urandom(50_000)
    with running_s3(store.folder) as plane:
        plane.client().put_object(Bucket="lake", Key="late", Body=late)
        plane.stop()
    (data / "index.backup.db").write_bytes(copy)
    INDEX_LOSSES[loss](data / "index.db")

    code, kinds = fsck(store)
    assert (code, kinds) == (DAMAGED, ["index"])
    assert fsck(store, "--repair") == (MENDED, ["index", "orphan"])
    assert fsck(store) == (WHOLE, [])
    assert late in [path.read_bytes() for path in (data / "lost+found").iterdir()]
    with running_s3(store.folder) as plane:
        for key, body in BODIES.items():
            assert plane.client().get_object(Bucket="lake", Key=key)["Body"].read() == body
        body = plane.client().get_object(Bucket="lake", Key="sealed")["Body"].read()
        assert body == BODIES["large"], "what opens encrypted buckets is in the copy too"


def test_without_a_copy_a_lost_index_is_said_to_be_lost(store: S3Plane) -> None:
    data = store.folder / "s3"
    (data / "index.backup.db").unlink()
    (data / "index.db").write_bytes(b"not a database at all")
    before = sorted(str(path) for path in data.rglob("*"))

    code, _, said = weyr("fsck", "--data", str(data), "--repair")
    assert code == FAILED
    assert "index.backup.db" in said
    assert sorted(str(path) for path in data.rglob("*") if "lock" not in path.name) == [
        path for path in before if not path.endswith("/lock")
    ]


def test_a_served_store_is_scrubbed_in_the_background(store: S3Plane) -> None:
    """A bit that turned is found without anybody reading the object, and /stats counts it."""
    flip(store, "other")
    with running_s3(store.folder, arguments=["--scrub-every-s", "0.5"]) as plane:
        deadline = time.monotonic() + 20
        while sum(plane.ask("GET", "/stats")[1]["rot"].values()) != 1:
            assert time.monotonic() < deadline, "the scrubber did not find it"
            time.sleep(0.05)
        while plane.ask("GET", "/stats")[1]["scrub"]["damaged"] != 1:
            assert time.monotonic() < deadline, "the scrubber did not come to its end"
            time.sleep(0.05)


def written_next(written: dict[str, bytes]) -> str:
    """The key that the writer was at when the plane went: that behind the one it wrote last."""
    number, count = list(written)[-1].split("-")
    return f"{number}-{(int(count) + 1) % 7}"


def put_until_it_breaks(plane: S3Plane, number: int, done: dict[str, bytes]) -> None:
    """Writes objects of many sizes, and notes those that were acknowledged, until the plane is gone."""
    client = plane.client()
    for count in range(10_000):
        body = os.urandom((100, 40_000, 2 * MIB)[count % 3])
        try:
            client.put_object(Bucket="crash", Key=f"{number}-{count % 7}", Body=body)
        except (ClientError, BotoCoreError):
            return
        key = f"{number}-{count % 7}"
        done.pop(key, None)  # so that the newest is the last
        done[key] = body


def test_after_a_kill_there_is_rest_and_no_damage(tmp_path: Path) -> None:
    """Whatever was going on: what a kill leaves is nobody's, and goes; what was acknowledged is whole."""
    with running_s3(tmp_path / "plane", arguments=["--workers", "2"]) as plane:
        plane.client().create_bucket(Bucket="crash")
        for _ in range(2):
            done: list[dict[str, bytes]] = [{} for _ in range(4)]
            writers = [threading.Thread(target=put_until_it_breaks, args=(plane, n, done[n])) for n in range(4)]
            for writer in writers:
                writer.start()
            deadline = time.monotonic() + 30
            while sum(map(len, done)) < 20:
                assert time.monotonic() < deadline, "nothing is written"
                time.sleep(0.01)
            plane.stop(signal.SIGKILL)
            for writer in writers:
                writer.join(30)
            kinds = set(fsck(plane)[1])
            assert kinds <= {"leftover", "orphan"}
            assert fsck(plane, "--repair")[0] == (MENDED if kinds else WHOLE)
            assert fsck(plane) == (WHOLE, [])
            plane.start()
            client = plane.client()
            for written in done:
                for key, body in written.items():
                    got = client.get_object(Bucket="crash", Key=key)["Body"].read()
                    # The put that the kill cut off may have come to its end, or not.
                    assert got == body or key == written_next(written)
