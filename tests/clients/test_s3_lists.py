"""What is in a bucket, page by page: prefixes, delimiters, tokens, encoding; both versions of the call."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

KEYS = ["a", "b/1", "b/2", "b/c/3", "b0", "c d+e", "d//x", "d/x", "z/é", "z/\x01low"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        for key in KEYS:
            client.put_object(Bucket="lake", Key=key, Body=b"1")
        yield plane


@pytest.fixture(scope="module")
def client(s3: S3Plane) -> Any:
    return s3.client()


CASES = {
    "everything": ({}, sorted(KEYS), []),
    "a prefix": ({"Prefix": "b/"}, ["b/1", "b/2", "b/c/3"], []),
    "one level": ({"Delimiter": "/"}, ["a", "b0", "c d+e"], ["b/", "d/", "z/"]),
    "one level of a folder": ({"Prefix": "b/", "Delimiter": "/"}, ["b/1", "b/2"], ["b/c/"]),
    "a prefix within a name": ({"Prefix": "b", "Delimiter": "/"}, ["b0"], ["b/"]),
    "an empty folder name": ({"Prefix": "d/", "Delimiter": "/"}, ["d/x"], ["d//"]),
    "another delimiter": ({"Delimiter": "+"}, [k for k in sorted(KEYS) if "+" not in k], ["c d+"]),
    "nothing there": ({"Prefix": "nothing"}, [], []),
}


@pytest.mark.parametrize(("asked", "keys", "prefixes"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("page", [1, 3, 1000])
def test_pages_of_any_size_give_the_same(
    client: Any, call: str, page: int, asked: dict[str, str], keys: list[str], prefixes: list[str]
) -> None:
    """However small the pages are, together they are the listing, in order and without repeats."""
    found_keys: list[str] = []
    found_prefixes: list[str] = []
    for answer in client.get_paginator(call).paginate(Bucket="lake", PaginationConfig={"PageSize": page}, **asked):
        found_keys += [entry["Key"] for entry in answer.get("Contents", [])]
        found_prefixes += [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]

    assert (found_keys, found_prefixes) == (keys, prefixes)


def test_a_listing_starts_after_a_key(client: Any) -> None:
    """start-after and marker name keys that need not be there."""
    after = client.list_objects_v2(Bucket="lake", StartAfter="b/15")
    assert [entry["Key"] for entry in after["Contents"]] == sorted(KEYS)[2:]
    assert client.list_objects(Bucket="lake", Marker="d")["Contents"][0]["Key"] == "d//x"
    assert client.list_objects_v2(Bucket="lake", MaxKeys=0)["KeyCount"] == 0


def test_a_made_up_token_is_refused(client: Any) -> None:
    """A token is ours or an error, never a guess."""
    with pytest.raises(ClientError) as refused:
        client.list_objects_v2(Bucket="lake", ContinuationToken="é")
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_versions_are_paged_too(client: Any) -> None:
    """Each page goes on within a key's versions where the last one stopped."""
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    made = [(key, client.put_object(Bucket="versions", Key=key, Body=b"")["VersionId"]) for key in "aabbbc/d"]

    def listed(**asked: Any) -> list[tuple[str, str]]:
        pages = client.get_paginator("list_object_versions").paginate(Bucket="versions", **asked)
        return [(entry["Key"], entry["VersionId"]) for page in pages for entry in page.get("Versions", [])]

    whole = listed()
    assert sorted(whole) == sorted(made)
    assert [key for key, _ in whole] == sorted(key for key, _ in made)
    for size in (1, 2, 3):
        assert listed(PaginationConfig={"PageSize": size}) == whole


def test_buckets_are_listed_in_pages_by_prefix_and_region(s3: S3Plane) -> None:
    """Each page says where the next one begins, and nothing is in two."""
    client = s3.client()
    for number in range(5):
        client.create_bucket(Bucket=f"paged-{number}")
    client.create_bucket(Bucket="paged-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    pages = client.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    found = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert found == [["paged-0", "paged-1"], ["paged-2", "paged-3"], ["paged-4", "paged-away"]]
    away = client.list_buckets(Prefix="paged-", BucketRegion="eu-west-1")
    assert [(b["Name"], b["BucketRegion"]) for b in away["Buckets"]] == [("paged-away", "eu-west-1")]
    assert "ContinuationToken" not in away
