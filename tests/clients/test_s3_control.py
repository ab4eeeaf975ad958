"""The control socket, the rules that expire objects, and how the process starts and stops."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

OWNER = "digits:bucket/lake"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Plane]:
    with running_s3(tmp_path, arguments=["--sweep-every-s", "0.2"]) as plane:
        yield plane


def test_a_bucket_is_made_kept_and_removed(s3: S3Plane) -> None:
    """Idempotent both ways: the engine restates what it wants for as long as it wants it."""
    ages = {"expire_after_s": 604800.0, "noncurrent_after_s": None, "abort_after_s": 60.0}
    more = {"move_after_s": None, "noncurrent_move_after_s": None, "to": ""}
    rules = [{"prefix": "checkpoints/", "tags": [["of", "a job"]], **ages, **more}]
    for _ in range(2):
        status, bucket = s3.ask("PUT", "/buckets/digits-lake", {"owner": OWNER, "lifecycle": rules})
        assert (status, bucket["owner"], bucket["lifecycle"]) == (200, OWNER, rules)
    assert s3.ask("PUT", "/buckets/digits-lake", {"owner": "other:bucket/lake"})[0] == 409
    assert s3.ask("PUT", "/buckets/Wrong", {"owner": OWNER})[0] == 400
    client = s3.client()
    for number in range(20):
        client.put_object(Bucket="digits-lake", Key=f"k{number}", Body=b"x" * 30_000 * (number % 2))
    client.create_multipart_upload(Bucket="digits-lake", Key="left")
    shown = s3.ask("GET", "/buckets/digits-lake")[1]
    assert (shown["objects"], shown["size_bytes"]) == (20, 300_000)
    (listed,) = s3.ask("GET", "/buckets")[1]["buckets"]
    assert listed | {"used": shown["used"]} == shown, "counters may be added between two looks"

    assert s3.ask("DELETE", "/buckets/digits-lake")[0] == 409
    assert s3.ask("DELETE", "/buckets/digits-lake?force=1")[0] == 204
    assert s3.ask("DELETE", "/buckets/digits-lake?force=1")[0] == 204
    assert s3.ask("GET", "/buckets/digits-lake")[0] == 404
    gone = s3.ask("GET", f"/gone/{quote(OWNER, safe='')}")[1]
    assert gone["used"] == {"writes": 21, "reads": 0, "local_bytes": 0, "far_bytes": 0}, "each of them, and at once"
    assert s3.ask("GET", "/gone/nobody")[0] == 404
    blobs = s3.folder / "s3" / "blobs"
    deadline = time.monotonic() + 30
    while any(path.is_file() for path in blobs.rglob("*")):
        assert time.monotonic() < deadline, "the removed bucket left files"
        time.sleep(0.02)


def test_objects_past_their_time_go(s3: S3Plane) -> None:
    """Only those under the rule's prefix, and only once they are old enough."""
    s3.ask("PUT", "/buckets/lake", {"owner": OWNER, "lifecycle": [{"prefix": "tmp/", "expire_after_s": 1.0}]})
    client = s3.client()
    for key in ("tmp/old", "tmp", "kept"):
        client.put_object(Bucket="lake", Key=key, Body=b"x")
    assert client.list_objects_v2(Bucket="lake")["KeyCount"] == 3

    deadline = time.monotonic() + 30
    while client.list_objects_v2(Bucket="lake")["KeyCount"] == 3:
        assert time.monotonic() < deadline, "nothing expired"
        time.sleep(0.05)

    assert [entry["Key"] for entry in client.list_objects_v2(Bucket="lake")["Contents"]] == ["kept", "tmp"]


def test_each_part_of_a_rule_of_the_stack_file_ends_what_it_says(s3: S3Plane) -> None:
    """Versions after they were replaced, uploads after they were begun, and of objects only those with the tag."""
    rules = [{"noncurrent_after_s": 0.5, "abort_after_s": 0.5}, {"tags": [["stage", "tmp"]], "expire_after_s": 0.5}]
    document = {"owner": OWNER, "lifecycle": rules, "keeps_versions": True}
    assert s3.ask("PUT", "/buckets/lake", document)[1]["versioning"] == "Enabled"
    client = s3.client()
    for body in (b"1", b"2"):
        client.put_object(Bucket="lake", Key="kept", Body=body)
    client.put_object(Bucket="lake", Key="tagged", Body=b"x", Tagging="stage=tmp")
    client.create_multipart_upload(Bucket="lake", Key="cut")

    def left() -> tuple[list[str], int, int]:
        keys = [row["Key"] for row in client.list_objects_v2(Bucket="lake").get("Contents", [])]
        versions = client.list_object_versions(Bucket="lake").get("Versions", [])
        return keys, len(versions), len(client.list_multipart_uploads(Bucket="lake").get("Uploads", []))

    deadline = time.monotonic() + 20
    while left() != (["kept"], 1, 0):
        assert time.monotonic() < deadline, left()
        time.sleep(0.05)
    assert client.get_object(Bucket="lake", Key="kept")["Body"].read() == b"2"


def test_health_and_stats_tell_what_goes_on(s3: S3Plane) -> None:
    """The engine looks here; the socket is its owner's alone."""
    assert s3.ask("GET", "/health")[1]["ok"] is True
    s3.client().list_buckets()
    stats = s3.ask("GET", "/stats")[1]
    assert stats["requests"] == 1
    assert stats["bytes_in"] > 0
    assert s3.control.stat().st_mode & 0o777 == 0o600
    assert s3.ask("GET", "/nothing")[0] == 404
    assert s3.ask("PUT", "/buckets/lake", {"lifecycle": [{"prefix": "a", "expire_after_s": -1}]})[0] == 400


def test_a_clean_stop_leaves_no_claim(s3: S3Plane) -> None:
    """Afterwards there is neither socket nor info file, and the data is there for the next one."""
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="a", Body=b"x")

    assert s3.stop() == 0

    assert not s3.control.exists()
    assert not (s3.folder / "info.json").exists()
    s3.start()
    assert s3.client().get_object(Bucket="lake", Key="a")["Body"].read() == b"x"


def test_a_second_plane_and_a_taken_port_are_clear_errors(s3: S3Plane, tmp_path: Path) -> None:
    """It says what is wrong and what to do; no traceback."""

    def started(data: Path, port: int) -> tuple[int, str]:
        paths = [
            "--credentials",
            "c",
            "--audit",
            str(tmp_path / "a"),
            "--control",
            str(s3.sockets / "x"),
            "--info",
            "i",
        ]
        command = [sys.executable, "-m", "weyr.gateway.s3", "--data", str(data), "--port", str(port), *paths]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        return done.returncode, done.stderr

    for data, port, word in (
        (s3.folder / "s3", 0, "Another S3 plane"),
        (tmp_path / "other", s3.port, "Choose another port"),
        (Path("/proc/nothing"), 0, "cannot be written"),
    ):
        code, text = started(data, port)
        assert (code, word in text, "Traceback" in text) == (1, True, False), text


def test_the_plane_holds_no_body_in_memory(s3: S3Plane) -> None:
    """Back-pressure: a fast sender fills neither the queues nor the memory."""
    assert s3.process is not None
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="warm", Body=os.urandom(2**20))
    before = [resident(pid) for pid in s3.pids]
    client.put_object(Bucket="lake", Key="big", Body=os.urandom(32 * 2**20))
    assert len(client.get_object(Bucket="lake", Key="big")["Body"].read()) == 32 * 2**20
    after = [resident(pid) for pid in s3.pids]
    assert all(now - then < 16 * 2**20 for now, then in zip(after, before, strict=True))


def resident(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def test_a_disk_that_refuses_is_an_honest_answer(s3: S3Plane) -> None:
    """A PUT that cannot be kept says so, leaves nothing, and harms neither what is there nor what comes later."""
    assert s3.process is not None
    client = s3.client()
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="a", Body=b"before")
    _, hard = resource.prlimit(s3.process.pid, resource.RLIMIT_FSIZE)
    for pid in s3.pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (64 * 1024, hard))
    for size in (200_000, 3 * 2**20):
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket="lake", Key="a", Body=os.urandom(size))
        assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert client.get_object(Bucket="lake", Key="a")["Body"].read() == b"before"
    assert not list((s3.folder / "s3" / "incoming").iterdir())

    for pid in s3.pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    client.put_object(Bucket="lake", Key="a", Body=b"after" * 50_000)
    assert client.get_object(Bucket="lake", Key="a")["Body"].read() == b"after" * 50_000


def test_many_idle_connections_do_no_harm(s3: S3Plane) -> None:
    """Connections that say nothing cost little and keep nobody out."""
    idle = [socket.create_connection(("127.0.0.1", s3.port)) for _ in range(300)]
    assert "Buckets" in s3.client().list_buckets()
    for connection in idle:
        connection.close()
