"""Who and what is turned away at the S3 door, with which code, and that it is written down."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from s3_plane import ADMIN, S3Plane, running_s3

TASK = ("TASKKEY", "task-secret")
T = TypeVar("T")
GRANTS = ["s3:read:lake/*", "s3:list:lake/*", "s3:write:lake/checkpoints/*"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3"), {TASK[0]: (TASK[1], GRANTS)}) as plane:
        admin = plane.client()
        for bucket in ("lake", "vault"):
            admin.create_bucket(Bucket=bucket)
            admin.put_object(Bucket=bucket, Key="a", Body=b"x")
        yield plane


def code_of(call: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call()
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def answer(request: "str | urllib.request.Request") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status), response.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def test_an_unknown_key_and_a_wrong_secret_are_told_apart(s3: S3Plane) -> None:
    """Two of the free S3 servers let both in."""
    assert code_of(s3.client("NOBODY", "x").list_buckets) == ("InvalidAccessKeyId", 403)
    assert code_of(s3.client(ADMIN[0], "wrong").list_buckets) == ("SignatureDoesNotMatch", 403)
    assert [(e["principal"], e["reason"], e["allowed"]) for e in s3.audit[-2:]] == [
        ("NOBODY", "InvalidAccessKeyId", False),
        ("weyradmin", "SignatureDoesNotMatch", False),
    ]


def test_an_unsigned_request_is_refused(s3: S3Plane) -> None:
    """Nothing is public."""
    for path in ("/", "/lake", "/lake/a"):
        status, text = answer(s3.url + path)
        assert (status, "<Code>AccessDenied</Code>" in text) == (403, True)


def test_a_task_may_only_do_what_it_was_granted(s3: S3Plane) -> None:
    """A task reads its bucket, writes its checkpoints, and cannot see that there are others."""
    task = s3.client(TASK[0])
    assert task.get_object(Bucket="lake", Key="a")["Body"].read() == b"x"
    task.put_object(Bucket="lake", Key="checkpoints/1", Body=b"x")
    assert [bucket["Name"] for bucket in task.list_buckets()["Buckets"]] == ["lake"]
    calls = [
        lambda: task.put_object(Bucket="lake", Key="a", Body=b"y"),
        lambda: task.delete_object(Bucket="lake", Key="a"),
        lambda: task.get_object(Bucket="vault", Key="a"),
        lambda: task.list_objects_v2(Bucket="vault"),
        lambda: task.create_bucket(Bucket="mine"),
        lambda: task.delete_bucket(Bucket="lake"),
        lambda: task.copy_object(Bucket="lake", Key="checkpoints/2", CopySource="vault/a"),
        lambda: task.create_multipart_upload(Bucket="lake", Key="a"),
        lambda: task.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"}),
        lambda: task.put_object(Bucket="lake", Key="checkpoints/1", Body=b"x", ACL="public-read"),
        lambda: task.put_object_acl(Bucket="lake", Key="checkpoints/1", ACL="public-read"),
        lambda: task.put_bucket_policy(Bucket="lake", Policy="{}"),
        lambda: task.get_bucket_cors(Bucket="lake"),
    ]
    before = len(s3.audit)

    assert {code_of(call) for call in calls} == {("AccessDenied", 403)}

    assert {entry["principal"] for entry in s3.audit[before:]} == {"taskkey"}
    assert len(s3.audit) == before + len(calls)
    deleted = task.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "a"}, {"Key": "checkpoints/1"}]})
    assert [error["Code"] for error in deleted["Errors"]] == ["AccessDenied"]
    assert [entry["Key"] for entry in deleted["Deleted"]] == ["checkpoints/1"]


def test_a_revoked_key_stops_working(s3: S3Plane) -> None:
    """The credentials file is followed while the plane runs."""
    s3.keys["BRIEF"] = ("secret", ["*"])
    s3.write_credentials()
    brief = s3.client("BRIEF")
    deadline = time.monotonic() + 30
    while True:
        try:
            brief.list_buckets()
            break
        except ClientError:
            assert time.monotonic() < deadline
    del s3.keys["BRIEF"]
    s3.write_credentials()
    assert _soon(lambda: _code_or_none(brief.list_buckets)) == ("InvalidAccessKeyId", 403)


def _soon(look: Callable[[], T | None], within_s: float = 10) -> T:
    """What a look gives as soon as it gives anything."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def _code_or_none(call: Callable[[], object]) -> tuple[str, int] | None:
    """The refusal of a call; None where it is not refused."""
    try:
        call()
    except ClientError as e:
        return str(e.response["Error"]["Code"]), int(e.response["ResponseMetadata"]["HTTPStatusCode"])
    return None


def signed(
    s3: S3Plane, method: str, path: str, headers: dict[str, str], body: bytes = b"", by: type[SigV4Auth] = SigV4Auth
) -> dict[str, str]:
    request = AWSRequest(method, s3.url + path, headers=headers, data=body)
    by(Credentials(*ADMIN), "s3", "us-east-1").add_auth(request)
    return dict(request.headers.items())


class AnHourAgo(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signs as it would have an hour ago."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 3600))
        super()._modify_request_before_signing(request)


def test_an_old_request_is_refused(s3: S3Plane) -> None:
    """A request that was recorded cannot be played again an hour later, though whoever may signed it."""
    old = signed(s3, "GET", "/lake/a", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, by=AnHourAgo)
    status, text = answer(urllib.request.Request(s3.url + "/lake/a", headers=old))
    assert (status, "RequestTimeTooSkewed" in text) == (403, True)


@pytest.mark.parametrize("signature", [None, "s3v4"])
def test_a_presigned_url_works_until_it_expires(s3: S3Plane, signature: str | None) -> None:
    """A URL is a credential for one request, for a while. boto3 still makes version 2 of them by itself."""
    client = s3.client(signature_version=signature)
    get = client.generate_presigned_url("get_object", {"Bucket": "lake", "Key": "a"}, ExpiresIn=60)
    assert answer(get) == (200, "x")
    named = {"Bucket": "lake", "Key": "ü b+c", "ResponseContentType": "a/b"}
    client.put_object(Bucket="lake", Key="ü b+c", Body=b"y")
    assert answer(client.generate_presigned_url("get_object", named)) == (200, "y")
    put = client.generate_presigned_url("put_object", {"Bucket": "lake", "Key": "signed"}, ExpiresIn=60)
    assert answer(urllib.request.Request(put, b"by url", method="PUT", headers={"Content-Type": ""}))[0] == 200
    assert client.get_object(Bucket="lake", Key="signed")["Body"].read() == b"by url"
    assert answer(get.replace("lake/a", "lake/signed"))[0] == 403
    assert answer(urllib.request.Request(get, method="DELETE"))[0] == 403
    short = client.generate_presigned_url("get_object", {"Bucket": "lake", "Key": "a"}, ExpiresIn=1)
    status, text = _soon(lambda: None if answer(short)[0] == 200 else answer(short))
    assert (status, "Request has expired" in text) == (403, True)


def test_what_is_not_done_is_said_to_be_not_done(s3: S3Plane) -> None:
    """Nothing is accepted and then ignored."""
    client = s3.client()
    put = {"Bucket": "lake", "Key": "x", "Body": b""}
    calls = [
        lambda: client.put_object(**put, ServerSideEncryption="aws:kms:dsse"),
        lambda: client.put_object(**put, WebsiteRedirectLocation="/b"),
        lambda: client.get_bucket_website(Bucket="lake"),
        lambda: client.put_bucket_accelerate_configuration(
            Bucket="lake", AccelerateConfiguration={"Status": "Enabled"}
        ),
        lambda: client.get_object_torrent(Bucket="lake", Key="a"),
        lambda: client.restore_object(Bucket="lake", Key="a"),
    ]
    assert {code_of(call) for call in calls} == {("NotImplemented", 501)}
    assert code_of(lambda: client.put_object(**put, StorageClass="GLACIER")) == ("InvalidStorageClass", 400)


def test_names_that_cannot_be_are_refused(s3: S3Plane) -> None:
    """Bucket names and keys have S3's own limits."""
    client = s3.client()
    for name in ("ab", "Upper", "a_b", "-ab", "a..b", "192.168.1.1", "x" * 64):
        status, text = answer(request_for(s3, "PUT", f"/{name}"))
        assert (status, "InvalidBucketName" in text) == (400, True), name
    assert code_of(lambda: client.put_object(Bucket="lake", Key="k" * 1025, Body=b"")) == ("KeyTooLongError", 400)
    client.put_object(Bucket="lake", Key="k" * 1024, Body=b"")
    metadata = {"a": "x" * 2100}
    assert code_of(lambda: client.put_object(Bucket="lake", Key="m", Body=b"", Metadata=metadata)) == (
        "MetadataTooLarge",
        400,
    )


def request_for(s3: S3Plane, method: str, path: str, body: bytes = b"") -> urllib.request.Request:
    headers = signed(s3, method, path, {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, body)
    return urllib.request.Request(s3.url + path, body or None, headers, method=method)


def test_hostile_documents_are_malformed(s3: S3Plane) -> None:
    """An entity bomb is refused before it is read."""
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    for body in (bomb, b"<Delete>", b"\xff\xfe", b"<Other/>", b"<Delete/>"):
        status, text = answer(request_for(s3, "POST", "/lake?delete=", body))
        assert (status, "MalformedXML" in text) == (400, True), body


def test_broken_http_ends_the_connection_and_nothing_else(s3: S3Plane) -> None:
    """What is not HTTP, or has a head without end, is answered 400 and let go."""
    for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: " + b"x" * 40_000 + b"\r\n\r\n"):
        connection = http.client.HTTPConnection("127.0.0.1", s3.port, timeout=60)
        connection.connect()
        connection.sock.sendall(raw)
        assert connection.sock.recv(100).startswith(b"HTTP/1.1 400")
        connection.close()
    assert s3.client().list_buckets()["Buckets"]
    status, text = answer(s3.url + "/%ff%fe/x")
    assert status in (400, 403), text
