"""`weyr s3 serve`: an S3 without a stack, whose users see nothing of one another unless they are let in."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

WEYR = Path(sys.executable).with_name("weyr")
SECRETS = {"ann": "ann:s/secret+with=all", "bob": "bobs-secret"}
USERS = [f"--user={name}:{name.upper()}KEY:{secret}" for name, secret in SECRETS.items()]


@dataclass
class Served:
    url: str
    said: dict[str, Any]
    process: "subprocess.Popen[str]"

    def client(self, name: str, secret: str = "") -> Any:
        return client(self.url, f"{name.upper()}KEY", secret or SECRETS[name])


def client(url: str, key: str, secret: str, signature: str = "s3v4") -> Any:
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": "us-east-1"}
    config = Config(retries={"max_attempts": 1}, signature_version=signature)
    return boto3.client("s3", endpoint_url=url, config=config, **keys)


@contextmanager
def served(data: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    command = [str(WEYR), "s3", "serve", "--data", str(data), "--port", "0", "--json", *arguments]
    with (data.parent / f"{data.name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | environment)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield Served(said["url"], said, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS) as running:
        ann = running.client("ann")
        ann.create_bucket(Bucket="anns")
        ann.put_object(Bucket="anns", Key="a", Body=b"x")
        yield running


def code_of(call: Any, *arguments: Any, **fields: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call(*arguments, **fields)
    response = refused.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def fetched(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=named), timeout=60) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read().decode()


def test_users_see_nothing_of_one_another(s3: Served) -> None:
    """What ann makes is ann's, down to the name of her bucket in a list."""
    bob = s3.client("bob")
    assert bob.list_buckets()["Buckets"] == []
    denied = ("AccessDenied", 403)
    assert code_of(bob.list_objects_v2, Bucket="anns") == denied
    assert code_of(bob.get_object, Bucket="anns", Key="a") == denied
    assert code_of(bob.get_object, Bucket="anns", Key="missing") == denied
    assert code_of(bob.put_object, Bucket="anns", Key="b", Body=b"") == denied
    assert code_of(bob.delete_bucket, Bucket="anns") == denied
    assert code_of(bob.get_bucket_acl, Bucket="anns") == denied
    assert code_of(bob.create_bucket, Bucket="anns") == ("BucketAlreadyExists", 409)
    deleted = bob.delete_objects(Bucket="anns", Delete={"Objects": [{"Key": "a"}]})
    assert [error["Code"] for error in deleted["Errors"]] == ["AccessDenied"]
    assert fetched(f"{s3.url}/anns/a")[0] == 403
    assert s3.client("ann").list_buckets()["Owner"] == {"ID": "ann", "DisplayName": "ann"}


def test_a_wrong_secret_and_an_unknown_key_are_refused(s3: Served) -> None:
    """Two of the free S3 servers let both in."""
    assert code_of(s3.client("ann", "wrong").list_buckets) == ("SignatureDoesNotMatch", 403)
    assert code_of(client(s3.url, "NOBODY", "x").list_buckets) == ("InvalidAccessKeyId", 403)
    assert fetched(f"{s3.url}/")[0] == 403


def test_old_clients_sign_in_their_own_way(s3: Served) -> None:
    """Version 2 in the header: right ones come in, wrong ones do not."""
    old = client(s3.url, "ANNKEY", SECRETS["ann"], "s3")
    old.create_bucket(Bucket="old")
    old.put_object(Bucket="old", Key="a b", Body=b"x", Metadata={"k": "v"})
    assert old.get_object(Bucket="old", Key="a b")["Metadata"] == {"k": "v"}
    assert [o["Key"] for o in old.list_objects_v2(Bucket="old", Prefix="a ")["Contents"]] == ["a b"]
    assert code_of(client(s3.url, "ANNKEY", "wrong", "s3").list_buckets) == ("SignatureDoesNotMatch", 403)
    assert code_of(client(s3.url, "NOBODY", "x", "s3").list_buckets) == ("InvalidAccessKeyId", 403)
    date = {"Date": "Wed, 25 Nov 2020 18:00:00 GMT"}
    status, _, text = fetched(f"{s3.url}/old", Authorization="AWS ANNKEY:AAAA", **date)
    assert (status, "RequestTimeTooSkewed" in text) == (403, True)


def test_a_policy_lets_in_whom_it_names_and_nobody_else(s3: Served) -> None:
    """Read one folder, and be told nothing of the others."""
    ann, bob = s3.client("ann"), s3.client("bob")
    ann.create_bucket(Bucket="shared")
    for key in ("open/a", "shut/a"):
        ann.put_object(Bucket="shared", Key=key, Body=key.encode())
    who = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam:::user/bob"}}
    lists = {"Action": "s3:ListBucket", "Condition": {"StringLike": {"s3:prefix": "open/*"}}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {**who, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared/open/*"},
            {**who, **lists, "Resource": "arn:aws:s3:::shared"},
        ],
    }
    ann.put_bucket_policy(Bucket="shared", Policy=json.dumps(policy))

    assert json.loads(ann.get_bucket_policy(Bucket="shared")["Policy"]) == policy
    assert bob.get_object(Bucket="shared", Key="open/a")["Body"].read() == b"open/a"
    assert code_of(bob.get_object, Bucket="shared", Key="shut/a") == ("AccessDenied", 403)
    assert [o["Key"] for o in bob.list_objects_v2(Bucket="shared", Prefix="open/")["Contents"]] == ["open/a"]
    assert code_of(bob.list_objects_v2, Bucket="shared") == ("AccessDenied", 403)
    assert code_of(bob.get_object, Bucket="shared", Key="open/missing") == ("NoSuchKey", 404)
    assert code_of(bob.get_object, Bucket="shared", Key="shut/missing") == ("AccessDenied", 403)
    assert not ann.get_bucket_policy_status(Bucket="shared")["PolicyStatus"]["IsPublic"]
    assert fetched(f"{s3.url}/shared/open/a")[0] == 403
    ann.delete_bucket_policy(Bucket="shared")
    assert code_of(bob.get_object, Bucket="shared", Key="open/a") == ("AccessDenied", 403)


def test_an_acl_opens_and_the_block_shuts_again(s3: Served) -> None:
    """A public object can be fetched by anybody until the bucket says that nothing is public."""
    ann = s3.client("ann")
    ann.create_bucket(Bucket="page")
    ann.put_object(Bucket="page", Key="index.html", Body=b"hello", ACL="public-read")
    assert fetched(f"{s3.url}/page/index.html")[::2] == (200, "hello")
    assert fetched(f"{s3.url}/page")[0] == 403
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy"), True)

    ann.put_public_access_block(Bucket="page", PublicAccessBlockConfiguration=block)

    assert fetched(f"{s3.url}/page/index.html")[0] == 403
    denied = ("AccessDenied", 403)
    assert code_of(ann.put_object_acl, Bucket="page", Key="index.html", ACL="public-read") == denied
    assert code_of(ann.put_object, Bucket="page", Key="b", Body=b"", ACL="public-read") == denied


def test_who_writes_into_anothers_bucket_owns_what_he_wrote(s3: Served) -> None:
    """As in S3 before ownership is enforced; then it is the bucket owner's."""
    ann, bob = s3.client("ann"), s3.client("bob")
    ann.create_bucket(Bucket="inbox", ACL="public-read-write")
    bob.put_object(Bucket="inbox", Key="b", Body=b"from bob")
    assert code_of(ann.get_object, Bucket="inbox", Key="b") == ("AccessDenied", 403)
    assert bob.get_object_acl(Bucket="inbox", Key="b")["Owner"]["ID"] == "bob"
    owners = [o["Owner"]["ID"] for o in ann.list_objects_v2(Bucket="inbox", FetchOwner=True)["Contents"]]
    assert owners == ["bob"]

    ann.put_bucket_acl(Bucket="inbox", ACL="private")
    ann.put_bucket_ownership_controls(
        Bucket="inbox", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )

    assert ann.get_object(Bucket="inbox", Key="b")["Body"].read() == b"from bob"
    assert code_of(bob.get_object, Bucket="inbox", Key="b") == ("AccessDenied", 403)


def test_a_bucket_is_where_it_was_wished(s3: Served) -> None:
    """SDKs of any region make buckets with their region's name in it, and look it up again."""
    ann = s3.client("ann")
    wished = {"LocationConstraint": "eu-west-3", "Tags": [{"Key": "team", "Value": "sea"}]}
    ann.create_bucket(Bucket="abroad", CreateBucketConfiguration=wished)
    assert ann.get_bucket_location(Bucket="abroad")["LocationConstraint"] == "eu-west-3"
    assert ann.head_bucket(Bucket="abroad")["BucketRegion"] == "eu-west-3"
    assert ann.get_bucket_tagging(Bucket="abroad")["TagSet"] == wished["Tags"]
    ann.put_bucket_tagging(Bucket="abroad", Tagging={"TagSet": [{"Key": "a", "Value": ""}]})
    assert ann.get_bucket_tagging(Bucket="abroad")["TagSet"] == [{"Key": "a", "Value": ""}]
    ann.delete_bucket_tagging(Bucket="abroad")
    assert code_of(ann.get_bucket_tagging, Bucket="abroad") == ("NoSuchTagSet", 404)
    assert ann.get_bucket_location(Bucket="anns")["LocationConstraint"] is None


def test_a_web_page_is_told_whether_it_may_read(s3: Served) -> None:
    """Preflight and answer agree; a page from elsewhere gets no headers."""
    ann = s3.client("ann")
    ann.create_bucket(Bucket="assets")
    rule = {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET"], "ExposeHeaders": ["ETag"]}
    ann.put_bucket_cors(Bucket="assets", CORSConfiguration={"CORSRules": [rule]})
    assert ann.get_bucket_cors(Bucket="assets")["CORSRules"] == [rule]
    here, there = "https://www.example.com", "https://elsewhere.org"

    status, headers, _ = fetched(f"{s3.url}/assets/x", "OPTIONS", Origin=here, Access_Control_Request_Method="GET")
    assert (status, headers["Access-Control-Allow-Origin"], headers["Access-Control-Expose-Headers"]) == (
        200, here, "ETag",
    )  # fmt: skip
    assert fetched(f"{s3.url}/assets/x", "OPTIONS", Origin=there, Access_Control_Request_Method="GET")[0] == 403
    assert fetched(f"{s3.url}/assets/x", Origin=here)[1]["Access-Control-Allow-Origin"] == here
    assert "Access-Control-Allow-Origin" not in fetched(f"{s3.url}/assets/x", Origin=there)[1]


HOSTILE = {
    "nothing": b"",
    "no document": b"\x00\xff not xml",
    "another root": b"<Hello/>",
    "an entity": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "no bottom": b"<a>" * 20_000,
    "a deep tree": b"<CORSConfiguration>" + b"<a>" * 5_000 + b"</a>" * 5_000 + b"</CORSConfiguration>",
    "a number": b"1",
    "null": b"null",
    "a list of lists": b"[" * 10_000,
    "a policy of the wrong types": b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": 1}]}',
    "a policy of nulls": b'{"Version": null, "Statement": [null]}',
    "empty rules": b"<OwnershipControls><Rule/></OwnershipControls>",
    "a grant to nobody": b"<AccessControlPolicy><Owner/><AccessControlList><Grant/>"
    b"</AccessControlList></AccessControlPolicy>",
    "a rule without an origin": b"<CORSConfiguration><CORSRule/></CORSConfiguration>",
    "a tag without a value": b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    "a block of words": b"<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls>"
    b"</PublicAccessBlockConfiguration>",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_in_s3s_words(s3: Served, name: str) -> None:
    """Whatever is sent for a document, the answer is a refusal that SDKs understand, and nothing is kept."""
    for subresource in ("acl", "cors", "logging", "policy", "publicAccessBlock", "ownershipControls", "tagging"):
        request = AWSRequest("PUT", f"{s3.url}/anns?{subresource}", data=HOSTILE[name])
        request.headers["x-amz-content-sha256"] = hashlib.sha256(HOSTILE[name]).hexdigest()
        SigV4Auth(Credentials("ANNKEY", SECRETS["ann"]), "s3", "us-east-1").add_auth(request)
        sent = urllib.request.Request(request.url, HOSTILE[name], dict(request.headers), method="PUT")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(sent, timeout=60)
        assert refused.value.code == 400, subresource
        assert "<Error><Code>" in refused.value.read().decode()


def test_a_user_is_made_where_none_is_given(tmp_path: Path) -> None:
    """It is kept for its owner alone, and is the same after a restart, with what it stored."""
    data = tmp_path / "buckets"
    keys: list[tuple[str, str]] = []
    for _ in range(2):
        with served(data) as running:
            user = json.loads((data / "user.json").read_text())
            keys.append((user["access_key"], user["secret"]))
            mine = client(running.url, *keys[-1])
            if not mine.list_buckets()["Buckets"]:
                mine.create_bucket(Bucket="kept")
            assert [bucket["Name"] for bucket in mine.list_buckets()["Buckets"]] == ["kept"]
        assert running.process.returncode == 0
    assert keys[0] == keys[1]
    assert (data / "user.json").stat().st_mode & 0o777 == 0o600


def test_secrets_need_not_be_on_the_command_line(tmp_path: Path) -> None:
    """A file and the environment do as well."""
    file = tmp_path / "users"
    file.write_text(f"# who may call\nann:ANNKEY:{SECRETS['ann']}\n")
    with served(tmp_path / "data", f"--users-file={file}", WEYR_S3_USERS=f"bob:BOBKEY:{SECRETS['bob']}") as running:
        assert running.said["users"] == ["bob", "ann"]
        for name in SECRETS:
            assert running.client(name).list_buckets()["Buckets"] == []


def test_minios_root_user_is_one_only_where_no_user_is_given(tmp_path: Path) -> None:
    """A variable that was left in a shell opens nothing beside the users that were named."""
    root = {"MINIO_ROOT_USER": "minioadmin", "MINIO_ROOT_PASSWORD": "minio-secret", "MINIO_KMS_SECRET_KEY": "x"}
    with served(tmp_path / "alone", **root) as running:
        assert running.said["users"] == ["minioadmin"]
        assert client(running.url, "minioadmin", "minio-secret").list_buckets()["Buckets"] == []
    log = (tmp_path / "alone.log").read_text()
    assert "where no option says otherwise: MINIO_ROOT_USER, MINIO_ROOT_PASSWORD." in log
    assert "Not read, since nothing here does what they ask for: MINIO_KMS_SECRET_KEY." in log
    assert "minio-secret" not in log
    with served(tmp_path / "beside", *USERS, **root) as running:
        assert running.said["users"] == ["ann", "bob"]
        assert code_of(client(running.url, "minioadmin", "minio-secret").list_buckets)[0] == "InvalidAccessKeyId"


def test_what_cannot_be_served_is_said_in_words(tmp_path: Path) -> None:
    """No traceback, and never the secret."""
    data = f"--data={tmp_path / 'data'}"
    for arguments in ([data, "--user=ann:KEY"], [data, "--user=ann:K:s3cret", "--user=ann:L:s3cret"], ["--user=a:b:c"]):
        command = [str(WEYR), "s3", "serve", "--port", "0", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, "Traceback" in done.stderr, "s3cret" in done.stderr) == (1, False, False)
        assert "The S3 plane cannot start" in done.stderr
