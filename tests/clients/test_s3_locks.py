"""Object lock as boto3 uses it: what is retained or held stays, whoever asks and in whatever way."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from test_s3_serve import USERS, Served, code_of, served

DENIED = ("AccessDenied", 403)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS) as running:
        yield running


def locked(s3: Served, bucket: str) -> Any:
    client = s3.client("ann")
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return client


def later(days: int = 1) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def test_a_retained_version_stays(s3: Served) -> None:
    """A delete without a version sets a marker; the bytes stay, and so does what another version hides."""
    client = locked(s3, "retained")
    version = client.put_object(
        Bucket="retained", Key="k", Body=b"1", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=later()
    )["VersionId"]
    client.delete_object(Bucket="retained", Key="k")
    gone = {"Bucket": "retained", "Key": "k", "VersionId": version}
    assert code_of(client.delete_object, **gone) == DENIED
    assert code_of(client.delete_object, **gone, BypassGovernanceRetention=True) == DENIED
    answer = client.delete_objects(
        Bucket="retained", Delete={"Objects": [{"Key": "k", "VersionId": version}]}, BypassGovernanceRetention=True
    )
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    shorter = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=1)}
    assert code_of(client.put_object_retention, **gone, Retention=shorter, BypassGovernanceRetention=True) == DENIED
    longer = {"Mode": "COMPLIANCE", "RetainUntilDate": later(2)}
    client.put_object_retention(**gone, Retention=longer)
    assert client.get_object_retention(**gone)["Retention"] == longer
    assert client.get_object(**gone)["Body"].read() == b"1"


def test_governance_yields_to_who_may_bypass_it(s3: Served) -> None:
    """To whom the bucket's policy gives the right, and not to who may only delete."""
    client = locked(s3, "governed")
    version = client.put_object(
        Bucket="governed", Key="k", Body=b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later()
    )["VersionId"]

    def allow(*actions: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam:::user/bob"},
            "Action": list(actions),
            "Resource": "arn:aws:s3:::governed/*",
        }
        client.put_bucket_policy(
            Bucket="governed", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        )

    gone = {"Bucket": "governed", "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    bob = s3.client("bob")
    allow("s3:DeleteObjectVersion")
    assert code_of(bob.delete_object, **gone) == DENIED
    allow("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention")
    bob.delete_object(**gone)
    assert "Versions" not in client.list_object_versions(Bucket="governed")


def test_a_hold_stays_until_it_is_taken_off(s3: Served) -> None:
    client = locked(s3, "held")
    upload = client.create_multipart_upload(Bucket="held", Key="k", ObjectLockLegalHoldStatus="ON")["UploadId"]
    part = client.upload_part(Bucket="held", Key="k", UploadId=upload, PartNumber=1, Body=b"1")
    version = client.complete_multipart_upload(
        Bucket="held",
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
    )["VersionId"]
    assert client.head_object(Bucket="held", Key="k")["ObjectLockLegalHoldStatus"] == "ON"
    gone = {"Bucket": "held", "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    assert code_of(client.delete_object, **gone) == DENIED
    copy = client.copy_object(Bucket="held", Key="copy", CopySource="held/k")["VersionId"]
    client.delete_object(Bucket="held", Key="copy", VersionId=copy)  # a lock is not copied
    client.put_object_legal_hold(Bucket="held", Key="k", LegalHold={"Status": "OFF"})
    client.delete_object(**gone)


def test_a_bucket_gives_its_default(s3: Served) -> None:
    client = locked(s3, "default")
    configuration = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 10}},
    }
    client.put_object_lock_configuration(Bucket="default", ObjectLockConfiguration=configuration)
    assert client.get_object_lock_configuration(Bucket="default")["ObjectLockConfiguration"] == configuration
    version = client.put_object(Bucket="default", Key="k", Body=b"1")["VersionId"]
    until = client.get_object_retention(Bucket="default", Key="k")["Retention"]["RetainUntilDate"]
    assert timedelta(days=9) < until - datetime.now(UTC) <= timedelta(days=10)
    assert code_of(client.delete_object, Bucket="default", Key="k", VersionId=version) == DENIED
    suspended = {"Status": "Suspended"}
    refused = code_of(client.put_bucket_versioning, Bucket="default", VersioningConfiguration=suspended)
    assert refused == ("InvalidBucketState", 409)


def test_a_policy_may_bound_how_long_anybody_retains(s3: Served) -> None:
    """Whether a header asks for it or a document; and a stranger is refused before anything else is said."""
    client = locked(s3, "bounded")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObjectRetention",
        "Resource": "arn:aws:s3:::bounded/*",
        "Condition": {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}},
    }
    client.put_bucket_policy(Bucket="bounded", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    asked = {"Bucket": "bounded", "Key": "k", "Body": b"1", "ObjectLockMode": "GOVERNANCE"}
    client.put_object(**asked, ObjectLockRetainUntilDate=later(5))
    assert code_of(client.put_object, **asked, ObjectLockRetainUntilDate=later(20)) == DENIED
    put = {"Bucket": "bounded", "Key": "k"}
    client.put_object_retention(**put, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": later(9)})
    longer = {"Mode": "GOVERNANCE", "RetainUntilDate": later(20)}
    assert code_of(client.put_object_retention, **put, Retention=longer) == DENIED
    assert code_of(s3.client("bob").put_object_legal_hold, **put, LegalHold={"Status": "ON"}) == DENIED


def test_nothing_is_locked_where_the_bucket_is_not(s3: Served) -> None:
    """A lock that was accepted and not kept to would be worse than none."""
    client = s3.client("ann")
    client.create_bucket(Bucket="plain")
    client.put_object(Bucket="plain", Key="k", Body=b"1")
    refused = ("InvalidRequest", 400)
    assert code_of(client.put_object, Bucket="plain", Key="k", ObjectLockLegalHoldStatus="ON") == refused
    assert code_of(client.create_multipart_upload, Bucket="plain", Key="k", ObjectLockLegalHoldStatus="ON") == refused
    assert code_of(client.put_object_legal_hold, Bucket="plain", Key="k", LegalHold={"Status": "ON"}) == refused
    missing = ("ObjectLockConfigurationNotFoundError", 404)
    assert code_of(client.get_object_lock_configuration, Bucket="plain") == missing
    with pytest.raises(ClientError, match="InvalidBucketState"):
        client.put_object_lock_configuration(Bucket="plain", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
