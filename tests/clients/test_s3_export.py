"""`weyr s3 export` and `weyr s3 import`: what comes back is what left, and no key leads out of the folder."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_plane import S3Plane, running_s3
from test_s3_rot import blobs_of, file_of, turn_bit, uploaded

WEYR = Path(sys.executable).with_name("weyr")
MIB = 2**20
HOSTILE = [
    "..", "../..", "../../etc/passwd", "/absolute", "//", "a", "a/b", "a/b/c", "a//b", "A", "A/b", "a/", "./x", "x/.",
    "x/..", "con\x01trol", "new\nline", "per%cent", "per%25cent", "%00", "nul\0nul", "back\\slash", "e\u0301",
    "\u00e9", "\u00c9", "k" * 1024, "dir/" + "n" * 300, "manifest.jsonl", "objects", "~", "-rf", "tab\there",
    "emoji \U0001f600",
]  # fmt: skip


def weyr(*arguments: object) -> tuple[int, dict[str, Any], str]:
    line = [str(WEYR), "s3", *map(str, arguments), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def read(client: Any, bucket: str, key: str, **asked: Any) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key, **asked)["Body"].read())


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    """A plane with a bucket of hostile keys, one of every kind of object, and one of versions."""
    with running_s3(tmp_path_factory.mktemp("export")) as plane:
        client = plane.client()
        for bucket in ("hostile", "kinds", "versions", "later"):
            client.create_bucket(Bucket=bucket)
        for key in HOSTILE:
            client.put_object(Bucket="hostile", Key=key, Body=key.encode() * 3)
        tagged = {"ContentType": "text/plain", "Metadata": {"who": "ann"}, "Tagging": "a=1&b=2"}
        client.put_object(Bucket="kinds", Key="small", Body=b"small", **tagged)
        client.put_object(Bucket="kinds", Key="large", Body=os.urandom(3 * MIB), ChecksumAlgorithm="CRC32C")
        client.put_object(Bucket="kinds", Key="sealed", Body=os.urandom(MIB), ServerSideEncryption="AES256")
        client.put_object(Bucket="kinds", Key="empty", Body=b"")
        client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"first", b"second", b"third"):
            client.put_object(Bucket="versions", Key="key", Body=body)
        client.delete_object(Bucket="versions", Key="gone")
        yield plane


def all_of(client: Any, bucket: str) -> dict[str, tuple[bytes, str, dict[str, str], str]]:
    """Every object with what is kept of it."""
    found = {}
    for item in client.list_objects_v2(Bucket=bucket).get("Contents", []):
        head = client.get_object(Bucket=bucket, Key=item["Key"])
        found[item["Key"]] = (head["Body"].read(), head["ETag"], head["Metadata"], head["ContentType"])
    return found


@pytest.mark.parametrize("bucket", ["hostile", "kinds"])
def test_what_left_comes_back(s3: S3Plane, tmp_path: Path, bucket: str) -> None:
    """Into another store, while the first one serves on: bytes, etags, metadata, tags, times."""
    client = s3.client()
    before = all_of(client, bucket)
    out = tmp_path / "deep" / "out"
    code, said, _ = weyr("export", bucket, out, "--data", s3.folder / "s3")
    assert (code, said["objects"]) == (0, len(before))
    inside = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert all(out in path.parents for path in inside), "nothing left the folder"
    assert len(inside) == len(before) + 1

    with running_s3(tmp_path / "other") as other:
        other.stop()
        code, said, _ = weyr("import", out, "again", "--data", other.folder / "s3", "--owner", "admin")
        assert (code, said["objects"], said["refused"]) == (0, len(before), [])
        code, said, _ = weyr("import", out, "again", "--data", other.folder / "s3")
        assert (code, said["objects"], said["already_there"]) == (0, 0, len(before))
        other.start()
        assert all_of(other.client(), "again") == before
        if bucket == "kinds":
            tags = other.client().get_object_tagging(Bucket="again", Key="small")["TagSet"]
            assert tags == client.get_object_tagging(Bucket=bucket, Key="small")["TagSet"]
            times = [
                c.head_object(Bucket=b, Key="large")["LastModified"]
                for c, b in ((client, bucket), (other.client(), "again"))
            ]
            assert times[0] == times[1]


def test_the_manifest_is_for_people(s3: S3Plane, tmp_path: Path) -> None:
    """A file is found by its key, and `sha256sum` says whether it is whole."""
    assert weyr("export", "kinds", tmp_path / "out", "--data", s3.folder / "s3")[0] == 0
    head, *lines = (json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert head["bucket"] == "kinds"
    assert "encryptionKey" not in head["settings"]
    for line in lines:
        assert line["file"] == line["key"]
        data = (tmp_path / "out" / "objects" / line["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == line["sha256"]


def test_versions_come_back_in_their_order(s3: S3Plane, tmp_path: Path) -> None:
    assert weyr("export", "versions", tmp_path / "out", "--versions", "--data", s3.folder / "s3")[0] == 0
    before = s3.client().list_object_versions(Bucket="versions")
    with running_s3(tmp_path / "other") as other:
        other.stop()
        assert weyr("import", tmp_path / "out", "again", "--data", other.folder / "s3", "--owner", "admin")[0] == 0
        other.start()
        after = other.client().list_object_versions(Bucket="again")
        for kind in ("Versions", "DeleteMarkers"):
            names = [[(v["Key"], v["VersionId"], v["IsLatest"]) for v in found[kind]] for found in (before, after)]
            assert names[0] == names[1]
        assert read(other.client(), "again", "key", VersionId=before["Versions"][2]["VersionId"]) == b"first"


def test_an_export_goes_on_where_it_was(s3: S3Plane, tmp_path: Path) -> None:
    """What is there is kept, what is cut or gone is written again, and what was deleted since goes."""
    client, out = s3.client(), tmp_path / "out"
    for n in range(5):
        client.put_object(Bucket="later", Key=f"key{n}", Body=os.urandom(100))
    assert weyr("export", "later", out, "--data", s3.folder / "s3")[1]["objects"] == 5
    (out / "objects" / "key1").write_bytes(b"cut")
    (out / "objects" / "key2").unlink()
    client.put_object(Bucket="later", Key="key3", Body=b"anew")
    client.delete_object(Bucket="later", Key="key4")

    code, said, _ = weyr("export", "later", out, "--data", s3.folder / "s3")
    assert (code, said["objects"], said["already_there"]) == (0, 3, 1)
    for n in range(4):
        assert (out / "objects" / f"key{n}").read_bytes() == read(client, "later", f"key{n}")
    assert not (out / "objects" / "key4").exists()


def test_a_tar_holds_the_same(s3: S3Plane, tmp_path: Path) -> None:
    assert weyr("export", "hostile", tmp_path / "out.tar", "--data", s3.folder / "s3")[0] == 0
    assert weyr("export", "hostile", tmp_path / "out", "--data", s3.folder / "s3")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.tar"]
    with tarfile.open(tmp_path / "out.tar") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    files = [
        sorted(p.relative_to(f) for p in f.rglob("*") if p.is_file()) for f in (tmp_path / "out", tmp_path / "unpacked")
    ]
    assert files[0] == files[1]


def test_what_cannot_be_read_is_left_out_and_said(s3: S3Plane, tmp_path: Path) -> None:
    client = s3.client()
    client.create_bucket(Bucket="broken")
    client.put_object(Bucket="broken", Key="rotten", Body=os.urandom(50_000))
    client.put_object(Bucket="broken", Key="theirs", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey=bytes(32))
    client.put_object(Bucket="broken", Key="whole", Body=b"whole")
    turn_bit(file_of(s3, blobs_of(s3, "rotten")[0]), 5)
    for to in (tmp_path / "out", tmp_path / "out.tar"):
        code, said, _ = weyr("export", "broken", to, "--data", s3.folder / "s3")
        assert code == 1
        assert [left["key"] for left in said["left_out"]] == ["rotten", "theirs"]
    assert [path.name for path in (tmp_path / "out" / "objects").iterdir()] == ["whole"]


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The data of a store that nobody serves."""
    with running_s3(tmp_path / "stopped") as plane:
        plane.stop()
        return plane.folder / "s3"


def test_any_folder_comes_in_and_no_link_is_followed(stopped: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "page.html").write_bytes(b"<p>")
    (folder / "large").write_bytes(os.urandom(2 * MIB))
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder-link").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")

    code, said, _ = weyr("import", folder, "plain", "--data", stopped, "--owner", "admin")
    assert (code, said["objects"]) == (0, 2)
    with running_s3(stopped.parent) as plane:
        found = all_of(plane.client(), "plain")
    assert set(found) == {"sub/page.html", "large"}
    assert found["sub/page.html"][3] == "text/html"


MANIFESTS: dict[str, dict[str, object]] = {
    "a path upwards": {"file": "../../secret"},
    "an absolute path": {"file": "/etc/hostname"},
    "through a link": {"file": "link"},
    "through a folder's link": {"file": "up/secret"},
    "other bytes": {"file": "good", "sha256": "0" * 64},
    "another size": {"file": "good", "size": 3},
    "no such file": {"file": "nothing"},
    "a folder": {"file": "folder"},
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_lies_brings_nothing_in(stopped: Path, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "plain"
    (folder / "objects" / "folder").mkdir(parents=True)
    (folder / "objects" / "good").write_bytes(b"good")
    (tmp_path / "secret").write_bytes(b"good")
    (folder / "objects" / "link").symlink_to(tmp_path / "secret")
    (folder / "objects" / "up").symlink_to(tmp_path)
    line: dict[str, object] = {
        "key": "k",
        "version": "null",
        "size": 4,
        "etag": "e",
        "modified_ms": 1,
        "is_current": True,
        "meta": {},
    }
    good = line | {"key": "good", "file": "good", "sha256": hashlib.sha256(b"good").hexdigest()}
    lying = good | {"key": "k"} | MANIFESTS[case]
    head = {"format": "weyr-s3-export-1", "bucket": "b", "versioning": "", "settings": {}}
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(text) for text in (head, good, lying)))

    code, said, _ = weyr("import", folder, "bucket", "--data", stopped, "--owner", "admin")
    assert (code, said["objects"]) == (1, 1)
    assert [refused["key"] for refused in said["refused"]] == ["k"]
    assert not list((stopped / "incoming").iterdir())


def test_a_served_store_takes_nothing_in(s3: S3Plane, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    code, _, said = weyr("import", tmp_path / "plain", "bucket", "--data", s3.folder / "s3")
    assert code == 1
    assert "weyr sync" in said


def test_a_part_is_read_from_all_blobs(s3: S3Plane, tmp_path: Path) -> None:
    """An object of several parts comes back as one, with the etag that its clients know."""
    client = s3.client()
    client.create_bucket(Bucket="lake")
    uploaded(client, "parts", [os.urandom(5 * MIB), b"rest"])
    before = all_of(client, "lake")
    assert weyr("export", "lake", tmp_path / "out", "--data", s3.folder / "s3")[0] == 0
    with running_s3(tmp_path / "other") as other:
        other.stop()
        assert weyr("import", tmp_path / "out", "lake", "--data", other.folder / "s3", "--owner", "admin")[0] == 0
        other.start()
        assert all_of(other.client(), "lake") == before


def test_what_is_not_here_is_not_exported_as_nothing(s3: S3Plane, tmp_path: Path) -> None:
    """An empty export of a bucket that is elsewhere would look like a full one."""
    code, _, said = weyr("export", "nowhere", tmp_path / "out", "--data", s3.folder / "s3")
    assert code == 1
    assert "does not exist" in said
    with sqlite3.connect(s3.folder / "s3" / "index.db", timeout=20) as db:
        db.execute(
            "INSERT INTO buckets (name, created_ms, owner, settings) VALUES ('far', 0, 'x', ?)", ['{"remote":"s3://b"}']
        )
    code, _, said = weyr("export", "far", tmp_path / "out", "--data", s3.folder / "s3")
    assert code == 1
    assert "elsewhere" in said
