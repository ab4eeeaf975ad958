"""Lifecycle rules over the S3 API, as boto3 sets them and as they then take hold."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from test_s3_serve import USERS, Served, code_of, served


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A day lasts half a second."""
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS, "--lifecycle-day", "0.5s") as running:
        yield running


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, f"it never came to be: {what}"
        time.sleep(0.05)


def put_rules(client: Any, bucket: str, *rules: dict[str, Any]) -> None:
    named = [{"ID": f"r{number}", "Status": "Enabled", **rule} for number, rule in enumerate(rules)]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": named})


def keys_of(client: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_rules_are_kept_shown_and_removed(s3: Served) -> None:
    """What comes back is what was put: tools compare the two."""
    client = s3.client("ann")
    client.create_bucket(Bucket="shown")
    missing = ("NoSuchLifecycleConfiguration", 404)
    assert code_of(client.get_bucket_lifecycle_configuration, Bucket="shown") == missing
    rules = [
        {"ID": "a", "Status": "Enabled", "Prefix": "a b/ ", "Expiration": {"Days": 3}},
        {
            "ID": "b",
            "Status": "Disabled",
            "Filter": {"And": {"Prefix": "b", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeLessThan": 9}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3},
        },
    ]
    client.put_bucket_lifecycle_configuration(Bucket="shown", LifecycleConfiguration={"Rules": rules})
    assert client.get_bucket_lifecycle_configuration(Bucket="shown")["Rules"] == rules
    denied = ("AccessDenied", 403)
    assert code_of(s3.client("bob").get_bucket_lifecycle_configuration, Bucket="shown") == denied
    client.delete_bucket_lifecycle(Bucket="shown")
    assert code_of(client.get_bucket_lifecycle_configuration, Bucket="shown") == missing


def test_an_upload_says_when_it_will_be_aborted(s3: Served) -> None:
    """At the midnight after its days, by the first rule that is about its key."""
    client = s3.client("ann")
    client.create_bucket(Bucket="begun")
    rules = [
        {"Filter": {"Prefix": prefix}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}}
        for prefix, days in (("tmp/", 300), ("", 900))
    ]
    put_rules(client, "begun", *rules)
    for key, rule, days in (("tmp/a", "r0", 300), ("b", "r1", 900)):
        made = client.create_multipart_upload(Bucket="begun", Key=key)
        listed = client.list_parts(Bucket="begun", Key=key, UploadId=made["UploadId"])
        assert listed["AbortDate"] == made["AbortDate"]
        assert (made["AbortRuleId"], listed["AbortRuleId"]) == (rule, rule)
        ahead = made["AbortDate"].timestamp() - time.time()
        assert days * 86_400 <= ahead + 60 <= (days + 1) * 86_400 + 60
        assert made["AbortDate"].timestamp() % 86_400 == 0
    client.delete_bucket_lifecycle(Bucket="begun")
    assert "AbortDate" not in client.create_multipart_upload(Bucket="begun", Key="c")


def test_objects_go_by_prefix_tag_and_size(s3: Served) -> None:
    client = s3.client("ann")
    client.create_bucket(Bucket="going")
    for key, tags, size in (("p/1", "", 1), ("t1", "k=v", 1), ("t2", "k=w", 1), ("big", "", 100), ("stays", "", 1)):
        client.put_object(Bucket="going", Key=key, Body=b"x" * size, Tagging=tags)
    put_rules(
        client,
        "going",
        {"Filter": {"Prefix": "p/"}, "Expiration": {"Days": 1}},
        {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
        {"Filter": {"ObjectSizeGreaterThan": 99}, "Expiration": {"Days": 1}},
    )
    until(lambda: keys_of(client, "going") == ["stays", "t2"], "three of five are gone")


def test_old_versions_markers_and_uploads_go(s3: Served) -> None:
    client = s3.client("ann")
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="versions", Key="k", Body=b"1")
    client.put_object(Bucket="versions", Key="k", Body=b"2")
    client.put_object(Bucket="versions", Key="gone", Body=b"1")
    client.delete_object(Bucket="versions", Key="gone")
    client.create_multipart_upload(Bucket="versions", Key="left")
    put_rules(
        client,
        "versions",
        {"Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        {"Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    )

    def is_tidy() -> bool:
        found = client.list_object_versions(Bucket="versions")
        left = [entry["Key"] for entry in (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))]
        return left == ["k"] and not client.list_multipart_uploads(Bucket="versions").get("Uploads")

    until(is_tidy, "only the current version is left")
    assert client.get_object(Bucket="versions", Key="k")["Body"].read() == b"2"


def test_an_answer_tells_when_an_object_will_end(s3: Served) -> None:
    """At midnight of the day after, as S3 has it, by the rule that comes first."""
    client = s3.client("ann")
    client.create_bucket(Bucket="told")
    put_rules(
        client,
        "told",
        {"Filter": {"Prefix": "a"}, "Expiration": {"Days": 900}},
        {"Filter": {"Prefix": "a"}, "Expiration": {"Days": 800}},
    )
    told = [
        client.put_object(Bucket="told", Key="a", Body=b"x"),
        client.head_object(Bucket="told", Key="a"),
        client.get_object(Bucket="told", Key="a"),
    ]
    for answer in told:
        assert re.fullmatch(r'expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT", rule-id="r1"', answer["Expiration"])
    assert "Expiration" not in client.put_object(Bucket="told", Key="b", Body=b"x")


def test_another_storage_class_is_refused(s3: Served) -> None:
    """There is none to move to, and a rule that did nothing would be believed."""
    client = s3.client("ann")
    client.create_bucket(Bucket="cold")
    rule = {"ID": "r", "Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    put = client.put_bucket_lifecycle_configuration
    assert code_of(put, Bucket="cold", LifecycleConfiguration={"Rules": [rule]}) == ("InvalidStorageClass", 400)
