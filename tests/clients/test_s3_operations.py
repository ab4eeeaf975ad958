"""The table of S3's operations is true: what it calls supported works, all else answers NotImplemented.

Names come from botocore's own model, so an operation or a header that S3 gets later fails here until it is decided on.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from s3_operations import Lake, bucket_for, call
from test_s3_serve import SECRETS, USERS, Served, served

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "s3-operations.md"
SAID = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", PAGE.read_text(), re.MULTILINE))
MODEL = boto3.client("s3", region_name="us-east-1").meta.service_model
POISON = "weyr-poison"
ELSEWHERE = ("ListDirectoryBuckets", "WriteGetObjectResponse")
"""Those that SDKs send to other hosts than a bucket's, with signatures of other services."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    def made(running: Served) -> Any:
        config = Config(retries={"max_attempts": 1}, request_checksum_calculation="when_required")
        keys = {"aws_access_key_id": "ANNKEY", "aws_secret_access_key": SECRETS["ann"], "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=running.url, config=config, **keys)

    targets = ["--webhook=hook=http://127.0.0.1:9/", f"--replica=folder=file://{tmp_path_factory.mktemp('folder')}"]
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS, *targets) as running:
        yield made(running)


@pytest.fixture(scope="module")
def lakes() -> dict[str, Lake]:
    return {}


def test_the_table_names_every_operation_of_s3() -> None:
    """No more and no less than botocore knows."""
    assert sorted(SAID) == sorted(MODEL.operation_names)


@pytest.mark.parametrize("name", sorted(set(SAID) - set(ELSEWHERE)))
def test_an_operation_is_as_the_table_says(client: Any, name: str) -> None:
    """What is not supported says so, and leaves the bucket and its object as they were."""
    lake = Lake(client, bucket_for(name)).fill()
    if SAID[name] == "yes":
        assert call(lake, name)["ResponseMetadata"]["HTTPStatusCode"] in (200, 204)
        return
    with pytest.raises(ClientError) as refused:
        call(lake, name)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"
    assert client.get_object(Bucket=lake.bucket, Key="k")["Body"].read() == b"content"


def test_those_of_other_hosts_are_refused(client: Any) -> None:
    with pytest.raises(ClientError):
        client.list_directory_buckets()


FREE: Mapping[str, frozenset[str]] = {
    "header": frozenset(
        {
            # Kept as they come and given back.
            "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
            # A text that no etag is, a date that is none and a range that is none are ignored, as the RFC has it.
            "If-Modified-Since", "If-None-Match", "If-Unmodified-Since", "Range", "x-amz-copy-source-if-none-match",
            # A tag without a value.
            "x-amz-tagging",
        }
    ),
    "querystring": frozenset(
        {
            "bucket-region", "delimiter", "key-marker", "marker", "prefix", "start-after", "upload-id-marker",
            "response-cache-control", "response-content-disposition", "response-content-encoding",
            "response-content-language", "response-content-type", "response-expires",
        }
    ),
}  # fmt: skip
"""Members of which every text is a good one; that they count is shown by the tests of what they are about."""

NEVER_THERE = ("DeleteObject", "versionId")
"""A version that never was is as good as deleted, so that a delete can be repeated."""


def _members() -> list[tuple[str, str, str]]:
    found = []
    for name in sorted(SAID):
        shape = MODEL.operation_model(name).input_shape
        for member in shape.members.values() if SAID[name] == "yes" and shape else ():
            where = member.serialization.get("location", "")
            sent_as = member.serialization.get("name", "")
            if where in FREE and sent_as not in FREE[where] and (name, sent_as) != NEVER_THERE:
                found.append((name, where, sent_as))
    return found


@pytest.mark.parametrize(("name", "where", "sent_as"), _members())
def test_nothing_that_s3_knows_is_passed_over(
    client: Any, lakes: dict[str, Lake], name: str, where: str, sent_as: str
) -> None:
    """Each header and parameter of each supported operation, sent with nonsense in it: what counts is refused."""
    if name not in lakes:  # what is refused leaves it as it was, for the next
        lakes[name] = Lake(client, bucket_for(f"poisoned {name}")).fill()
    lake = lakes[name]

    def poison(request: Any, **_: Any) -> None:
        if where == "header":
            del request.headers[sent_as]
            request.headers[sent_as] = POISON
            return
        address, _, query = request.url.partition("?")
        pairs = [pair for pair in query.split("&") if pair and not pair.startswith(f"{sent_as}=")]
        request.url = f"{address}?{'&'.join([*pairs, f'{sent_as}={POISON}'])}"

    event = f"before-sign.s3.{name}"
    client.meta.events.register(event, poison)
    try:
        with pytest.raises(ClientError) as refused:
            call(lake, name)
    finally:
        client.meta.events.unregister(event, poison)
    status = refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert status in (400, 403, 404, 412, 416, 501)
