"""`weyr s3 serve --folder`: a folder of plain files as a bucket, read-only, and nothing beside it."""

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_s3_serve import USERS, WEYR, Served, served

MIB = 2**20
FILES = {
    "a": b"first",
    "a-b": b"between",
    "dir/one.txt": b"one",
    "dir/sub/two.json": b"{}",
    "dir.txt": b"after the folder's dot",
    "large": os.urandom(9 * MIB + 7),
    "Über uns/seite.html": b"<p>",
    "empty": b"",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder: files, an empty folder, links of every kind, a pipe, and a name that is no text."""
    folder = tmp_path_factory.mktemp("plain")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_bytes(b"secret")
    for key, body in FILES.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (folder / "hollow" / "more").mkdir(parents=True)
    (folder / "link").symlink_to(outside / "secret")
    (folder / "linked").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"\xff\xfe")).write_bytes(b"no text")
    return folder


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two workers"])
def door(plain: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("folders") / "data"
    with served(data, *USERS, "--folder", f"files={plain}", "--workers", str(request.param)) as door:
        yield door


def keys(client: Any, **asked: Any) -> list[str]:
    found = client.get_paginator("list_objects_v2").paginate(Bucket="files", **asked)
    return [item["Key"] for page in found for item in page.get("Contents", [])]


def refusal(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(Bucket="files", **asked)
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_a_list_is_in_the_order_of_keys_whatever_the_pages(door: Served, page: int) -> None:
    """`a-b` comes between `a` and `a/`, as in any bucket; links, pipes and what is no text are no objects."""
    client = door.client("bob")
    assert keys(client, PaginationConfig={"PageSize": page}) == sorted(FILES)
    v1 = client.get_paginator("list_objects").paginate(Bucket="files", PaginationConfig={"PageSize": page})
    assert [item["Key"] for found in v1 for item in found["Contents"]] == sorted(FILES)


def test_prefixes_and_delimiters(door: Served) -> None:
    client = door.client("ann")
    for page in (1, 1000):
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket="files", Delimiter="/", PaginationConfig={"PageSize": page}
        )
        found = []
        for answer in pages:
            found += [item["Key"] for item in answer.get("Contents", [])]
            found += [item["Prefix"] for item in answer.get("CommonPrefixes", [])]
        assert sorted(found) == sorted(["a", "a-b", "dir.txt", "dir/", "empty", "large", "Über uns/"]), "no hollow one"
    below = client.list_objects_v2(Bucket="files", Prefix="dir/", Delimiter="/")
    assert [item["Key"] for item in below["Contents"]] == ["dir/one.txt"]
    assert [item["Prefix"] for item in below["CommonPrefixes"]] == ["dir/sub/"]
    assert keys(client, Prefix="di") == ["dir.txt", "dir/one.txt", "dir/sub/two.json"]
    assert keys(client, Prefix="dir/", StartAfter="dir/one.txt") == ["dir/sub/two.json"]
    other = client.list_objects_v2(Bucket="files", Delimiter=".")
    assert [item["Prefix"] for item in other["CommonPrefixes"]] == [
        "dir.",
        "dir/one.",
        "dir/sub/two.",
        "Über uns/seite.",
    ]
    assert keys(client, Prefix="nothing") == []


@pytest.mark.parametrize("key", FILES)
def test_files_are_read_whole_and_in_ranges(door: Served, key: str) -> None:
    client, body = door.client("bob"), FILES[key]
    got = client.get_object(Bucket="files", Key=key)
    assert got["Body"].read() == body
    head = client.head_object(Bucket="files", Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(body), got["ETag"])
    for start, end in ((0, 0), (len(body) // 2, len(body) - 1)):
        if body:
            part = client.get_object(Bucket="files", Key=key, Range=f"bytes={start}-{end}")
            assert part["Body"].read() == body[start : end + 1]
            assert part["ContentRange"] == f"bytes {start}-{end}/{len(body)}"


def test_conditions_and_types(door: Served, plain: Path) -> None:
    client = door.client("ann")
    head = client.head_object(Bucket="files", Key="dir/sub/two.json")
    assert head["ContentType"] == "application/json"
    assert refusal(client.get_object, Key="a", IfNoneMatch=client.head_object(Bucket="files", Key="a")["ETag"]) == "304"
    assert refusal(client.get_object, Key="a", IfMatch='"other"') == "PreconditionFailed"
    assert refusal(client.get_object, Key="a", Range="bytes=100-") == "InvalidRange"

    before = client.head_object(Bucket="files", Key="dir/one.txt")["ETag"]
    (plain / "dir" / "one.txt").write_bytes(b"two")
    assert client.head_object(Bucket="files", Key="dir/one.txt")["ETag"] != before, "another file, another etag"
    (plain / "dir" / "one.txt").write_bytes(FILES["dir/one.txt"])


@pytest.mark.parametrize(
    "key",
    ["link", "linked/secret", "round/a", "pipe", "hollow", "dir", "dir/", "../outside/secret", "dir/../a", "./a",
     "/a", "dir//one.txt", "a/b", "a\0b", "x" * 1000, "y/" * 400, "nothing"],
)  # fmt: skip
def test_nothing_leads_out_and_nothing_else_is_an_object(door: Served, key: str) -> None:
    client = door.client("ann")
    assert refusal(client.get_object, Key=key) == "NoSuchKey"
    assert refusal(client.head_object, Key=key) == "404"


def test_what_would_write_is_refused(door: Served, plain: Path) -> None:
    """Also for the bucket's owner; and nothing on disk changes."""
    before = sorted(str(path) for path in plain.rglob("*"))
    client = door.client("ann")
    for call, asked in (
        (client.put_object, {"Key": "new", "Body": b"x"}),
        (client.delete_object, {"Key": "a"}),
        (client.delete_objects, {"Delete": {"Objects": [{"Key": "a"}]}}),
        (client.create_multipart_upload, {"Key": "new"}),
        (client.put_object_tagging, {"Key": "a", "Tagging": {"TagSet": []}}),
        (client.copy_object, {"Key": "b", "CopySource": "files/a"}),
        (client.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}),
        (client.delete_bucket, {}),
    ):
        assert refusal(call, **asked) == "MethodNotAllowed"
    assert refusal(client.list_object_versions) == "NotImplemented"
    assert refusal(client.get_object, Key="a", VersionId="v1") == "NotImplemented"
    bob = door.client("bob")
    assert refusal(bob.put_object, Key="new", Body=b"x") == "AccessDenied"
    assert sorted(str(path) for path in plain.rglob("*")) == before


def test_nobody_unsigned_reads_unless_the_owner_says_so(door: Served) -> None:
    """The policy is the bucket's own: its owner can see it, and take back what it allows."""
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{door.url}/files/a", timeout=10)
    ann, bob = door.client("ann"), door.client("bob")
    kept = ann.get_bucket_policy(Bucket="files")["Policy"]
    assert "EverySignedUserReads" in kept
    ann.delete_bucket_policy(Bucket="files")
    try:
        assert refusal(bob.get_object, Key="a") == "AccessDenied"
        assert ann.get_object(Bucket="files", Key="a")["Body"].read() == FILES["a"]
    finally:
        ann.put_bucket_policy(Bucket="files", Policy=kept)


def test_a_folder_that_cannot_be_served_is_said_to_be_none(plain: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for given, why in (
        ("files", "NAME=PATH"),
        (f"NO={plain}", "NAME=PATH"),
        (f"files={tmp_path / 'nothing'}", "is no folder"),
        (f"files={tmp_path}", "protects"),
        (f"files={data}", "protects"),
    ):
        command = [str(WEYR), "s3", "serve", "--data", str(data), "--port", "0", *USERS]
        done = subprocess.run([*command, "--folder", given], capture_output=True, text=True, timeout=90)
        assert done.returncode == 1
        assert why in " ".join(done.stderr.split())


def test_a_bucket_without_its_folder_is_not_served(plain: Path, tmp_path: Path) -> None:
    """What the line does not name any more is closed, and a bucket of objects never becomes a folder."""
    with served(tmp_path / "data", *USERS, "--folder", f"files={plain}") as door:
        door.client("ann").create_bucket(Bucket="mine")
    with served(tmp_path / "data", *USERS) as door:
        assert refusal(door.client("ann").get_object, Key="a") == "ServiceUnavailable"
    command = [str(WEYR), "s3", "serve", "--data", str(tmp_path / "data"), "--port", "0", *USERS]
    done = subprocess.run([*command, "--folder", f"mine={plain}"], capture_output=True, text=True, timeout=90)
    assert done.returncode == 1
    assert "no folder" in " ".join(done.stderr.split())
