"""Access logs: what was answered stands in the target bucket, in the format that S3's own tools parse."""

import calendar
import http.client
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from test_s3_serve import USERS, Served, client, code_of, fetched, served

# The expression that AWS documents for Athena, with the fields' names of its page on the format.
_FIELDS = (
    "owner", "bucket", "time", "ip", "requester", "request_id", "operation", "key", "request_uri", "status", "error",
    "bytes_sent", "object_size", "total_ms", "turn_around_ms", "referrer", "agent", "version", "host_id", "signature",
    "cipher", "auth", "host", "tls", "access_point", "acl_required",
)  # fmt: skip
_QUOTED = r'("[^"]*"|-)'
_SHAPES = {"time": r"\[(.*?)\]", "request_uri": _QUOTED, "referrer": _QUOTED, "agent": _QUOTED}
_PATTERN = re.compile(" ".join(_SHAPES.get(name, "([^ ]*)") for name in _FIELDS))
EVERY = "--access-logs-every=500ms"
WAIT_S = 90.0


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    far = f"--remote=far={(folder / 'far').as_uri()}"
    (folder / "far").mkdir()
    with served(folder / "buckets", *USERS, EVERY, far) as running:
        yield running


def logged(owner: Any, source: str, target: str, prefix: str = "log/", **more: Any) -> None:
    """Makes the two buckets, and turns the source's log on."""
    for name in (source, target):
        owner.create_bucket(Bucket=name)
    enabled = {"TargetBucket": target, "TargetPrefix": prefix, **more}
    owner.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": enabled})


def lines_of(owner: Any, target: str, prefix: str = "log/") -> list[dict[str, str]]:
    lines = []
    for item in owner.list_objects_v2(Bucket=target, Prefix=prefix).get("Contents", []):
        text = owner.get_object(Bucket=target, Key=item["Key"])["Body"].read().decode()
        for line in text.splitlines():
            found = _PATTERN.fullmatch(line)
            assert found, line
            lines.append(dict(zip(_FIELDS, found.groups(), strict=True)))
    return lines


def waited(owner: Any, target: str, is_there: Callable[[list[dict[str, str]]], bool], prefix: str = "log/") -> Any:
    """The lines that were delivered, once those that are waited for are among them."""
    deadline = time.monotonic() + WAIT_S
    while not is_there(lines := lines_of(owner, target, prefix)):
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)
    return lines


def by_operation(lines: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {f"{line['operation']} {line['status']}": line for line in lines}


def test_each_answer_is_a_line_that_says_what_happened(s3: Served) -> None:
    """Who, what, how much, how it ended: read with the expression that AWS gives for its own logs."""
    ann, bob = s3.client("ann"), s3.client("bob")
    logged(ann, "watched", "logs")
    ann.put_bucket_versioning(Bucket="watched", VersioningConfiguration={"Status": "Enabled"})
    put = ann.put_object(Bucket="watched", Key="dir/a b+ü", Body=b"x" * 1000)
    got = ann.get_object(Bucket="watched", Key="dir/a b+ü", Range="bytes=0-9", VersionId=put["VersionId"])
    got["Body"].read()
    ann.head_object(Bucket="watched", Key="dir/a b+ü")
    ann.copy_object(Bucket="watched", Key="copy", CopySource={"Bucket": "watched", "Key": "dir/a b+ü"})
    code_of(ann.get_object, Bucket="watched", Key="missing")
    code_of(bob.get_object, Bucket="watched", Key="copy")
    code_of(client(s3.url, "ANNKEY", "wrong").list_objects_v2, Bucket="watched")
    fetched(f"{s3.url}/watched/copy", Referer='https://example.com/"page', User_Agent="a browser")
    ann.get_bucket_acl(Bucket="watched")
    ann.delete_objects(Bucket="watched", Delete={"Objects": [{"Key": "copy"}, {"Key": "k" * 1025}]})
    url = ann.generate_presigned_url("list_objects_v2", {"Bucket": "watched", "Prefix": "dir/"})
    assert fetched(url)[0] == 200
    form = ann.generate_presigned_post("watched", "posted")
    assert requests.post(form["url"], form["fields"], files={"file": b"12345"}, timeout=60).status_code == 204

    lines = waited(ann, "logs", lambda lines: len(lines) >= 15)

    assert len(lines) == 15, "one for each request since the log was turned on, and two for the keys of the batch"
    found = by_operation(lines)
    line = found["REST.PUT.OBJECT 200"]
    assert (line["owner"], line["bucket"], line["requester"], line["ip"]) == ("ann", "watched", "ann", "127.0.0.1")
    assert line["key"] == "dir/a%20b%2B%C3%BC"
    assert (line["bytes_sent"], line["object_size"], line["version"]) == ("-", "1000", put["VersionId"])
    assert (line["signature"], line["auth"], line["host"]) == ("SigV4", "AuthHeader", s3.url.removeprefix("http://"))
    assert line["request_uri"].startswith('"PUT /watched/dir/a%20b%2B%C3%BC')
    assert line["request_id"] == put["ResponseMetadata"]["RequestId"]
    assert "Boto3" in line["agent"]
    assert abs(time.time() - calendar.timegm(time.strptime(line["time"], "%d/%b/%Y:%H:%M:%S +0000"))) < 60
    assert 0 <= int(line["turn_around_ms"]) <= int(line["total_ms"]) < 10_000
    line = found["REST.GET.OBJECT 206"]
    assert (line["bytes_sent"], line["object_size"], line["version"]) == ("10", "1000", put["VersionId"])
    line = found["REST.HEAD.OBJECT 200"]
    assert (line["bytes_sent"], line["object_size"]) == ("-", "1000")
    assert "REST.COPY.OBJECT 200" in found
    assert found["REST.GET.OBJECT 404"]["error"] == "NoSuchKey"
    denied = {line["requester"]: line for line in lines if line["operation"] == "REST.GET.OBJECT"}
    assert (denied["bob"]["status"], denied["-"]["status"]) == ("403", "403")
    assert (denied["-"]["referrer"], denied["-"]["agent"]) == ('"https://example.com/%22page"', '"a browser"')
    assert (denied["-"]["signature"], denied["-"]["auth"]) == ("-", "-")
    line = found["REST.GET.BUCKET 403"]
    assert (line["error"], line["requester"], line["signature"]) == ("SignatureDoesNotMatch", "-", "-")
    assert found["REST.GET.ACL 200"]["key"] == "-"
    assert found["REST.POST.MULTI_OBJECT_DELETE 200"]["key"] == "-"
    assert found["BATCH.DELETE.OBJECT 204"]["key"] == "copy"
    assert found["BATCH.DELETE.OBJECT 400"]["error"] == "KeyTooLongError"
    line = found["REST.GET.BUCKET 200"]
    assert (line["auth"], "prefix=dir" in line["request_uri"]) == ("QueryString", True)
    line = found["REST.POST.OBJECT 204"]
    assert (line["key"], line["requester"], line["signature"], line["auth"]) == ("posted", "ann", "SigV4", "-")
    assert not [line for line in lines if line["bucket"] != "watched"]
    assert len({line["request_id"] for line in lines}) == len(lines) - 2, "two of the lines are of one request's keys"


def test_a_download_that_was_cut_off_counts_the_bytes_that_went_out(s3: Served) -> None:
    """A bill by bytes sent must not count what the client never took."""
    ann = s3.client("ann")
    logged(ann, "cut", "cut-logs")
    ann.put_object(Bucket="cut", Key="large", Body=bytes(64 * 2**20), ACL="public-read")
    connection = http.client.HTTPConnection(s3.url.removeprefix("http://"), timeout=60)
    connection.request("GET", "/cut/large")
    connection.getresponse().read(1000)
    connection.close()
    lines = waited(ann, "cut-logs", lambda lines: any(line["operation"] == "REST.GET.OBJECT" for line in lines))
    line = by_operation(lines)["REST.GET.OBJECT 200"]
    assert 1000 <= int(line["bytes_sent"]) < 64 * 2**20
    assert line["object_size"] == str(64 * 2**20)


@pytest.mark.parametrize("source", ["EventTime", "DeliveryTime"])
def test_keys_may_be_partitioned_and_logs_are_encrypted_as_their_bucket_says(s3: Served, source: str) -> None:
    ann = s3.client("ann")
    form = {"PartitionedPrefix": {"PartitionDateSource": source}}
    name = source.lower()
    logged(ann, name, f"{name}-logs", "p-", TargetObjectKeyFormat=form)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ann.put_bucket_encryption(Bucket=f"{name}-logs", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert ann.get_bucket_logging(Bucket=name)["LoggingEnabled"]["TargetObjectKeyFormat"] == form
    waited(ann, f"{name}-logs", bool, "p-")
    key = ann.list_objects_v2(Bucket=f"{name}-logs")["Contents"][0]["Key"]
    at = r"\d{4}-\d{2}-\d{2}-00-00-00" if source == "EventTime" else r"\d{4}(-\d{2}){5}"
    assert re.fullmatch(rf"p-ann/us-east-1/{name}/\d{{4}}/\d\d/\d\d/{at}-[0-9A-F]{{16}}", key)
    assert ann.head_object(Bucket=f"{name}-logs", Key=key)["ServerSideEncryption"] == "AES256"


def test_what_a_log_cannot_be_is_refused(s3: Served) -> None:
    """A target that is not there or elsewhere, is another's or keeps things; grants, which nothing would enforce."""
    ann, bob = s3.client("ann"), s3.client("bob")
    ann.create_bucket(Bucket="plain")
    bob.create_bucket(Bucket="bobs")
    ann.create_bucket(Bucket="kept", ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    ann.put_object_lock_configuration(
        Bucket="kept", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    for target in ("missing", "bobs", "kept", "far"):
        status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": ""}}
        refused = code_of(ann.put_bucket_logging, Bucket="plain", BucketLoggingStatus=status)
        assert refused == ("InvalidTargetBucketForLogging", 400), target
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    grants = [{"Grantee": everybody, "Permission": "READ"}]
    granted = {"LoggingEnabled": {"TargetBucket": "plain", "TargetPrefix": "", "TargetGrants": grants}}
    assert code_of(ann.put_bucket_logging, Bucket="plain", BucketLoggingStatus=granted) == ("NotImplemented", 501)
    assert code_of(bob.get_bucket_logging, Bucket="plain") == ("AccessDenied", 403)
    assert "LoggingEnabled" not in ann.get_bucket_logging(Bucket="plain")


def test_a_log_that_is_turned_off_ends_and_one_without_its_bucket_harms_nothing(s3: Served) -> None:
    ann = s3.client("ann")
    logged(ann, "brief", "brief-logs")
    ann.put_object(Bucket="brief", Key="before", Body=b"")
    ann.put_bucket_logging(Bucket="brief", BucketLoggingStatus={})
    ann.put_object(Bucket="brief", Key="after", Body=b"")
    logged(ann, "orphan", "gone")
    ann.delete_bucket(Bucket="gone")
    ann.put_object(Bucket="orphan", Key="k", Body=b"")
    lines = waited(ann, "brief-logs", lambda lines: any(line["key"] == "before" for line in lines))
    assert "after" not in {line["key"] for line in lines}
    assert ann.head_object(Bucket="orphan", Key="k")["ContentLength"] == 0


def test_lines_survive_the_death_of_the_plane(tmp_path: Path) -> None:
    """Killed before anything was delivered: each answer that the client had is in the log after the next start."""
    data = tmp_path / "buckets"
    with served(data, *USERS, "--access-logs-every=1h") as running:
        ann = running.client("ann")
        logged(ann, "watched", "logs")
        for number in range(50):
            ann.put_object(Bucket="watched", Key=f"{number}", Body=b"")
        running.process.send_signal(signal.SIGKILL)
    for file in (data / "access").iterdir():  # as if the hour had passed
        file.rename(file.with_name(f"{0:015d}-{file.name.partition('-')[2]}"))
    with served(data, *USERS, EVERY) as running:
        ann = running.client("ann")
        lines = waited(ann, "logs", lambda lines: len(lines) >= 49)
        keys = [line["key"] for line in lines if line["operation"] == "REST.PUT.OBJECT"]
        assert sorted(set(keys), key=int)[:49] == [f"{number}" for number in range(49)]
        assert len(keys) == len(set(keys))
