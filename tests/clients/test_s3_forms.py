"""Uploads by a form: boto3 makes the policy, requests sends what a browser would."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from test_s3_serve import USERS, Served, code_of, served

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS) as running:
        running.client("ann").create_bucket(Bucket="forms")
        yield running


def signed(s3: Served, key: str, fields: dict[str, str] | None = None, conditions: Any = ()) -> dict[str, Any]:
    """A form as boto3 makes it: every field is in its policy."""
    named = [{name: value} for name, value in (fields or {}).items()]
    client = s3.client("ann")
    form: dict[str, Any] = client.generate_presigned_post("forms", key, fields, [*named, *conditions])
    return form


def posted(form: dict[str, Any], file: Any, filename: str = "photo.png", **more: str) -> requests.Response:
    data = form["fields"] | {name.replace("_", "-"): value for name, value in more.items()}
    return requests.post(form["url"], data=data, files={"file": (filename, file)}, timeout=60, allow_redirects=False)


def test_a_signed_form_stores_its_file(s3: Served) -> None:
    """With what its fields say, under the file's own name, and nothing else than the policy names."""
    fields = {"Content-Type": "image/png", "x-amz-meta-who": "ann", "success_action_status": "201"}
    form = signed(s3, "in/${filename}", fields)
    answer = posted(form, b"picture", "C:\\photos\\photo.png")
    assert answer.status_code == 201
    assert "<Key>in/photo.png</Key>" in answer.text
    found = s3.client("ann").get_object(Bucket="forms", Key="in/photo.png")
    assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (b"picture", "image/png", {"who": "ann"})
    for extra in ({"acl": "public-read"}, {"x_amz_meta_other": "1"}):
        refused = posted(form, b"picture", **extra)
        assert (refused.status_code, "Extra input fields" in refused.text) == (403, True)


def test_a_form_that_was_changed_is_refused(s3: Served) -> None:
    form = signed(s3, "fixed")
    changes: tuple[tuple[str, str, str], ...] = (
        ("key", "other", "AccessDenied"),
        ("policy", signed(s3, "other")["fields"]["policy"], "SignatureDoesNotMatch"),
        ("x-amz-signature", "0" * 64, "SignatureDoesNotMatch"),
    )
    for name, value, code in changes:
        refused = posted({**form, "fields": form["fields"] | {name: value}}, b"x")
        assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (403, True)
    fields = {name: value for name, value in form["fields"].items() if "amz" not in name and name != "policy"}
    assert posted({**form, "fields": fields}, b"x").status_code == 403
    assert code_of(s3.client("ann").head_object, Bucket="forms", Key="fixed")[1] == 404


def test_a_form_may_lead_on(s3: Served) -> None:
    form = signed(s3, "led", {"success_action_redirect": "https://example.com/done?a=1"})
    answer = posted(form, b"x")
    assert answer.status_code == 303
    etag = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    expected = f"https://example.com/done?a=1&bucket=forms&key=led&etag=%22{etag}%22"
    assert answer.headers["location"] == expected


def test_anybody_may_post_where_everybody_may_write(s3: Served) -> None:
    """And the bucket's owner keeps what it was given."""
    client = s3.client("ann")
    client.create_bucket(Bucket="open", ACL="public-read-write")
    tagging = "<Tagging><TagSet><Tag><Key>k</Key><Value>v w</Value></Tag></TagSet></Tagging>"
    form: dict[str, Any] = {"url": f"{s3.url}/open", "fields": {"key": "given", "tagging": tagging}}
    assert posted(form, b"x").status_code == 204
    assert client.get_object_tagging(Bucket="open", Key="given")["TagSet"] == [{"Key": "k", "Value": "v w"}]
    assert client.get_object(Bucket="open", Key="given")["Body"].read() == b"x"
    copying = {**form, "fields": form["fields"] | {"x-amz-copy-source": "forms/led"}}
    assert posted(copying, b"x").status_code == 501
    assert posted({**form, "url": f"{s3.url}/forms"}, b"x").status_code == 403


def test_a_file_of_the_wrong_length_or_sum_leaves_nothing(s3: Served, tmp_path: Path) -> None:
    form = signed(s3, "bounded", {"x-amz-checksum-crc32": "AAAAAA=="}, [["content-length-range", 2, 3 * MIB]])
    for size, code in ((1, "EntityTooSmall"), (4 * MIB, "EntityTooLarge"), (2 * MIB, "BadDigest"), (3, "BadDigest")):
        refused = posted(form, b"x" * size)
        assert (refused.status_code, f"<Code>{code}</Code>" in refused.text) == (400, True), size
    assert code_of(s3.client("ann").head_object, Bucket="forms", Key="bounded")[1] == 404


def test_a_large_file_goes_to_disk_as_it_arrives(s3: Served) -> None:
    """64 MiB into a process that does not grow by a third of it."""
    keeper = psutil.Process(s3.process.pid)
    processes = [keeper, *keeper.children()]
    before = [process.memory_info().rss for process in processes]
    file = bytes(range(256)) * (64 * MIB // 256)
    assert posted(signed(s3, "large"), file).status_code == 204
    after = [process.memory_info().rss for process in processes]
    assert sum(after) - sum(before) < 20 * MIB
    found = s3.client("ann").get_object(Bucket="forms", Key="large")["Body"].read()
    assert hashlib.sha256(found).digest() == hashlib.sha256(file).digest()
