"""`weyr cp`, `sync`, `ls` and `rm` against a real plane: whole or not at all, and what was cut goes on."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from s3_plane import ADMIN, S3Plane, running_s3

WEYR = Path(sys.executable).with_name("weyr")
MIB = 2**20
LARGE = 96 * MIB
"""Six parts."""
READER = ("WEYRREADER", ("reader-secret-reader", ["s3:list:shelf/", "s3:read:shelf/*"]))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("copy"), dict([READER])) as plane:
        plane.client().create_bucket(Bucket="shelf")
        yield plane


@pytest.fixture
def bucket(s3: S3Plane, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    name = hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


def environment(s3: S3Plane, folder: Path, key: str = ADMIN[0]) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": s3.keys[key][0]}
    return {**s3.environment(), **keys, "WEYR_HOME": str(folder.parent / "home")}


def weyr(
    s3: S3Plane, folder: Path, *words: str, key: str = ADMIN[0], stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [str(WEYR), *words], cwd=folder, env=environment(s3, folder, key), input=stdin, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip


def done(s3: S3Plane, folder: Path, *words: str) -> dict[str, Any]:
    """What a verb says with --json, where it must succeed."""
    said = weyr(s3, folder, *words, "--json")
    assert said.returncode == 0, said.stderr.decode()
    document: dict[str, Any] = json.loads(said.stdout)
    return document


def stat(s3: S3Plane, name: str) -> int:
    return int(s3.ask("GET", "/stats")[1][name])


def write_large(path: Path) -> bytes:
    data = os.urandom(MIB) * (LARGE // MIB - 1) + os.urandom(MIB)
    path.write_bytes(data)
    return data


def killed_when(s3: S3Plane, folder: Path, is_time: Callable[[], bool], *words: str) -> None:
    """Runs a verb and kills it with -9 in the middle."""
    process = subprocess.Popen([str(WEYR), *words], cwd=folder, env=environment(s3, folder), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not is_time():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_an_upload_that_was_killed_goes_on_with_what_arrived(s3: S3Plane, bucket: str, folder: Path) -> None:
    """Ten hours of upload are not begun anew because the train went into a tunnel."""
    data = write_large(folder / "big.bin")
    command = ("cp", "big.bin", f"s3://{bucket}/", "--parallel", "1")
    before = stat(s3, "bytes_in")
    killed_when(s3, folder, lambda: stat(s3, "bytes_in") - before > 40 * MIB, *command)
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)
    arrived = stat(s3, "bytes_in")

    second = done(s3, folder, *command)

    assert second["kept_bytes"] >= 32 * MIB
    assert second["sent_bytes"] == LARGE - second["kept_bytes"]
    assert stat(s3, "bytes_in") - arrived < LARGE - 31 * MIB
    assert s3.client().get_object(Bucket=bucket, Key="big.bin")["Body"].read() == data
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)


def test_a_file_that_was_changed_meanwhile_is_begun_anew(s3: S3Plane, bucket: str, folder: Path) -> None:
    """Half of yesterday's file and half of today's are no file."""
    write_large(folder / "big.bin")
    command = ("cp", "big.bin", f"s3://{bucket}/", "--parallel", "1")
    before = stat(s3, "bytes_in")
    killed_when(s3, folder, lambda: stat(s3, "bytes_in") - before > 20 * MIB, *command)
    data = write_large(folder / "big.bin")

    second = done(s3, folder, *command)

    assert (second["kept_bytes"], second["sent_bytes"]) == (0, LARGE)
    assert s3.client().get_object(Bucket=bucket, Key="big.bin")["Body"].read() == data
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)


def cut_download(s3: S3Plane, bucket: str, folder: Path) -> bytes:
    data = write_large(folder / "big.bin")
    done(s3, folder, "cp", "big.bin", f"s3://{bucket}/")

    def has_pieces() -> bool:
        journals = list((folder.parent / "home" / "transfers").glob("*.jsonl"))
        return any(len(journal.read_bytes().split(b"\n")) > 3 for journal in journals)

    killed_when(s3, folder, has_pieces, "cp", f"s3://{bucket}/big.bin", "back.bin", "--parallel", "1")
    assert not (folder / "back.bin").exists()
    return data


def test_a_download_that_was_killed_goes_on_by_range(s3: S3Plane, bucket: str, folder: Path) -> None:
    """What has come is read again from the disk, not from the other end."""
    data = cut_download(s3, bucket, folder)
    before = stat(s3, "bytes_out")

    second = done(s3, folder, "cp", f"s3://{bucket}/big.bin", "back.bin")

    assert second["kept_bytes"] >= 32 * MIB
    assert second["received_bytes"] == LARGE - second["kept_bytes"]
    assert stat(s3, "bytes_out") - before < LARGE - 31 * MIB
    assert (folder / "back.bin").read_bytes() == data
    assert sorted(path.name for path in folder.iterdir()) == ["back.bin", "big.bin"]
    assert list((folder.parent / "home" / "transfers").iterdir()) == []


def test_an_object_that_was_replaced_meanwhile_is_fetched_anew(s3: S3Plane, bucket: str, folder: Path) -> None:
    """Pieces of two objects under one name would pass for one of them."""
    cut_download(s3, bucket, folder)
    data = os.urandom(LARGE)
    s3.client().put_object(Bucket=bucket, Key="big.bin", Body=data)

    second = done(s3, folder, "cp", f"s3://{bucket}/big.bin", "back.bin")

    assert second["kept_bytes"] == 0
    assert (folder / "back.bin").read_bytes() == data


def test_what_lies_in_the_cut_file_is_not_believed(s3: S3Plane, bucket: str, folder: Path) -> None:
    """A machine that lost its power may have lost what it had written down as done: it is found by checksum."""
    data = cut_download(s3, bucket, folder)
    with (folder / ".back.bin.weyr-part").open("r+b") as file:
        file.write(b"rot")
    command = ("cp", f"s3://{bucket}/big.bin", "back.bin")

    second = weyr(s3, folder, *command)
    assert (second.returncode, (folder / "back.bin").exists()) == (1, False)
    assert b"at the server, and" in second.stderr
    assert done(s3, folder, *command)["kept_bytes"] == 0
    assert (folder / "back.bin").read_bytes() == data


def test_a_thousand_files_go_both_ways_once(s3: S3Plane, bucket: str, folder: Path) -> None:
    """The second sync asks for a list and sends nothing."""
    for number in range(1000):
        path = folder / "many" / f"{number % 7}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number * 100)

    first, second = (done(s3, folder, "sync", "many", f"s3://{bucket}/many") for _ in range(2))
    back, again = (done(s3, folder, "sync", f"s3://{bucket}/many/", "back/") for _ in range(2))

    assert [said["copied"] for said in (first, second, back, again)] == [1000, 0, 1000, 0]
    assert [said["same"] for said in (second, again)] == [1000, 1000]
    assert (second["sent_bytes"], again["received_bytes"]) == (0, 0)
    assert subprocess.run(["diff", "-r", "many", "back"], cwd=folder, check=False).returncode == 0


def test_sync_deletes_only_when_it_is_told_to(s3: S3Plane, bucket: str, folder: Path) -> None:
    """And never because the source turned out to be empty, or could not be copied."""
    for name in ("keep.txt", "sub/go.txt", "sub/log.tmp"):
        s3.client().put_object(Bucket=bucket, Key=f"d/{name}", Body=b"x")
    (folder / "d").mkdir()
    (folder / "empty").mkdir()
    (folder / "d" / "keep.txt").write_bytes(b"x")
    (folder / "d" / "new.txt").write_bytes(b"new")
    target = f"s3://{bucket}/d/"

    assert done(s3, folder, "sync", "d", target)["deleted"] == 0
    assert weyr(s3, folder, "sync", "empty", target, "--delete").returncode == 1
    assert weyr(s3, folder, "sync", "gone", target, "--delete").returncode == 1
    planned = done(s3, folder, "sync", "d", target, "--delete", "--exclude", "*.tmp", "--dry-run")
    assert planned == {"copies": [], "deletes": [f"s3://{bucket}/d/sub/go.txt"]}
    assert done(s3, folder, "sync", "d", target, "--delete", "--exclude", "*.tmp")["deleted"] == 1
    left = [row["Key"] for row in s3.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["d/keep.txt", "d/new.txt", "d/sub/log.tmp"]


def test_buckets_copy_between_themselves_at_the_server(s3: S3Plane, bucket: str, folder: Path) -> None:
    """The bytes do not come here, and what describes them goes along."""
    client = s3.client()
    client.create_bucket(Bucket=f"{bucket}-2")
    client.put_object(Bucket=bucket, Key="a/x y+z", Body=b"body", Metadata={"who": "ann"})

    first, second = (done(s3, folder, "sync", f"s3://{bucket}/a", f"s3://{bucket}-2/b") for _ in range(2))

    assert (first["copied"], first["sent_bytes"], first["received_bytes"]) == (1, 0, 0)
    assert (second["copied"], second["same"]) == (0, 1)
    assert client.head_object(Bucket=f"{bucket}-2", Key="b/x y+z")["Metadata"] == {"who": "ann"}


def test_streams_are_objects_too(s3: S3Plane, bucket: str, folder: Path) -> None:
    """`tar c . | weyr cp - lake:x.tar`, and back into a pipe; also longer than one part."""
    for data in (b"", b"short", os.urandom(20 * MIB)):
        there = weyr(s3, folder, "cp", "-", f"s3://{bucket}/stream", stdin=data)
        back = weyr(s3, folder, "cp", f"s3://{bucket}/stream", "-")
        assert (there.returncode, back.returncode, back.stdout == data) == (0, 0, True), there.stderr + back.stderr


def test_what_others_uploaded_is_compared_by_its_etag(s3: S3Plane, bucket: str, folder: Path) -> None:
    """Objects of before there were checksums, in one piece and in parts, are verified as well."""
    client = s3.client(request_checksum_calculation="when_required")
    client.put_object(Bucket=bucket, Key="one", Body=b"1" * MIB)
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    etags = [
        client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=n, Body=bytes([n]) * size)["ETag"]
        for n, size in ((1, 10 * MIB), (2, 10 * MIB), (3, 7))
    ]
    parts = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    client.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)

    said = done(s3, folder, "cp", "-r", f"s3://{bucket}/", "all")

    assert (said["copied"], said["unverified"]) == (2, [])
    assert (folder / "all" / "parts").stat().st_size == 20 * MIB + 7


def test_hostile_keys_stay_in_the_folder(s3: S3Plane, bucket: str, folder: Path) -> None:
    """Somebody else chose the keys; they must not choose which of my files are written."""
    for key in ("in/../../escaped", "in//empty", "in/fine\n\u00e9 %2B+&", "in/folder/"):
        s3.client().put_object(Bucket=bucket, Key=key, Body=b"x")

    said = weyr(s3, folder, "cp", "-r", f"s3://{bucket}/in/", "out", "--json")

    document = json.loads(said.stdout)
    assert (said.returncode, document["copied"], len(document["failed"])) == (1, 1, 2)
    assert [path.name for path in (folder / "out").rglob("*")] == ["fine\n\u00e9 %2B+&"]
    assert not (folder.parent / "escaped").exists()


def test_ls_shows_and_rm_takes_away(s3: S3Plane, bucket: str, folder: Path) -> None:
    """A slip is told: what is not there cannot be deleted."""
    for key in ("a", "b/1", "b/2", "b/c/3"):
        s3.client().put_object(Bucket=bucket, Key=key, Body=b"xyz")
    listing = weyr(s3, folder, "ls", f"s3://{bucket}/b/").stdout.decode()

    assert [line.split()[-1] for line in listing.splitlines()] == ["b/1", "b/2", "b/c/"]
    rows = json.loads(weyr(s3, folder, "ls", "-r", f"s3://{bucket}/", "--json").stdout)
    assert [(row["key"], row["size_bytes"]) for row in rows] == [("a", 3), ("b/1", 3), ("b/2", 3), ("b/c/3", 3)]
    assert bucket in weyr(s3, folder, "ls").stdout.decode()
    assert weyr(s3, folder, "ls", f"s3://{bucket}/nothing/").returncode == 1
    assert weyr(s3, folder, "rm", f"s3://{bucket}/nothing").returncode == 1
    assert weyr(s3, folder, "rm", f"s3://{bucket}/b/").returncode == 1
    assert weyr(s3, folder, "rm", "-r", f"s3://{bucket}/b/").returncode == 1, "nobody was there to be asked"
    assert done(s3, folder, "rm", f"s3://{bucket}/a")["deleted"] == 1
    assert done(s3, folder, "rm", "-r", f"s3://{bucket}/b/", "--exclude", "*3", "--yes")["deleted"] == 2
    assert [row["Key"] for row in s3.client().list_objects_v2(Bucket=bucket)["Contents"]] == ["b/c/3"]


REFUSALS = {
    "a bucket that is not there": (("ls", "s3://gone-away/"), ADMIN[0], "No such bucket"),
    "an object that is not there": (("cp", "s3://shelf/gone", "x"), ADMIN[0], "Not found"),
    "no permission to write": (("cp", "here", "s3://shelf/x"), READER[0], "Not allowed"),
    "no bucket in the address": (("cp", "here", "s3://"), ADMIN[0], "Not an address"),
    "nothing in a bucket": (("cp", "here", "there"), ADMIN[0], "Not an address"),
    "a file that is not there": (("cp", "missing", "s3://shelf/x"), ADMIN[0], "Nothing to copy"),
    "a folder without --recursive": (("cp", ".", "s3://shelf/x/"), ADMIN[0], "Not one file"),
    "a bucket of a stack where none is": (("ls", "lake:"), ADMIN[0], "No stack there"),
    "no S3 at the endpoint": (("ls", "--endpoint", "http://127.0.0.1:9"), ADMIN[0], "The S3 does not answer"),
    "an endpoint that is none": (("ls", "--endpoint", "localhost"), ADMIN[0], "Not an endpoint"),
    "a key that is too long": (("ls", "s3://shelf/" + "k" * 1025), ADMIN[0], "Not an address"),
    "a prefix into another below it": (("sync", "s3://shelf/a/", "s3://shelf/a/b/"), ADMIN[0], "Not an address"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_done_is_said_in_words(s3: S3Plane, folder: Path, case: str) -> None:
    """Each with the exit code 1 and what to try next, never a traceback."""
    words, key, summary = REFUSALS[case]
    (folder / "here").write_bytes(b"here")

    said = weyr(s3, folder, *words, key=key)

    assert (said.returncode, said.stdout) == (1, b"")
    assert f"Error: {summary}" in said.stderr.decode()


class _Lying(BaseHTTPRequestHandler):
    """An S3 whose disk has rotted: it names the MD5 of what once was."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()
        self.wfile.write(b"rotten")

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.md5(b"sound!").hexdigest()}"')
        self.send_header("Content-Length", "6")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_rot_is_found_and_gets_no_name(s3: S3Plane, folder: Path) -> None:
    """A file that is there is the object, also from a server that checks nothing itself."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Lying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = weyr(s3, folder, "cp", "s3://any/key", "file", "--endpoint", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()

    assert said.returncode == 1
    assert b"MD5" in said.stderr
    assert not (folder / "file").exists()


def test_an_interrupt_waits_for_nobody(s3: S3Plane, folder: Path) -> None:
    """Ctrl-C ends a copy to a server that does not answer, with the exit code of an interrupt."""
    (folder / "here").write_bytes(b"here")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [str(WEYR), "cp", "here", "s3://any/x", "--endpoint", endpoint]
        process = subprocess.Popen(command, cwd=folder, env=environment(s3, folder))
        silent.settimeout(60)
        connection, _ = silent.accept()
        connection.settimeout(60)
        while not connection.recv(65_536).endswith(b"here"):
            pass
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
        connection.close()
