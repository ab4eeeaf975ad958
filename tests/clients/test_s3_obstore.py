"""obstore, unmodified: the client in Rust that Delta Lake, Zarr and Weyr itself reach clouds with."""

import asyncio
import os
from collections.abc import Iterator
from datetime import timedelta

import obstore
import pytest
import requests
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store
from s3_plane import ADMIN, S3Plane, running_s3

MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture
def store(s3: S3Plane) -> S3Store:
    return S3Store(
        "lake",
        endpoint=s3.url,
        access_key_id=ADMIN[0],
        secret_access_key=ADMIN[1],
        region="us-east-1",
        client_options={"allow_http": True},
    )


def test_objects_are_put_read_in_ranges_listed_and_removed(store: S3Store) -> None:
    content = os.urandom(100_000)
    store.put("dir/a b/ü.bin", content, attributes={"Content-Type": "text/x-own", "colour": "blue"})
    got = store.get("dir/a b/ü.bin")
    assert (got.attributes["Content-Type"], got.attributes["colour"]) == ("text/x-own", "blue")
    assert bytes(got.bytes()) == content
    assert bytes(store.get_range("dir/a b/ü.bin", start=5, length=10)) == content[5:15]
    pieces = store.get_ranges("dir/a b/ü.bin", starts=[0, 99_990], lengths=[5, 10])
    assert [bytes(piece) for piece in pieces] == [content[:5], content[-10:]]
    for number in range(1500):
        store.put(f"many/{number:04}", b"")
    assert sum(len(batch) for batch in store.list("many/")) == 1500
    assert len(store.list(offset="many/1490").collect()) == 9
    assert list(store.list_with_delimiter()["common_prefixes"]) == ["dir", "many"]
    store.copy("many/0001", "copies/1")
    store.rename("copies/1", "copies/2")
    assert [meta["path"] for meta in store.list("copies/").collect()] == ["copies/2"]
    store.delete([meta["path"] for meta in store.list("many/").collect()])
    assert store.list("many/").collect() == []
    with pytest.raises(FileNotFoundError):
        store.head("many/0001")


def test_a_large_object_goes_in_parts_at_once(store: S3Store) -> None:
    """And a stream of a size that nobody knew before."""
    content = os.urandom(23 * MIB + 17)
    store.put("large", content, use_multipart=True, chunk_size=5 * MIB, max_concurrency=4)
    assert bytes(store.get("large").bytes()) == content
    with obstore.open_writer(store, "stream", buffer_size=5 * MIB) as writer:
        for start in range(0, len(content), MIB):
            writer.write(content[start : start + MIB])
    assert store.head("stream")["size"] == len(content)
    reader = obstore.open_reader(store, "stream")
    reader.seek(20 * MIB)
    assert bytes(reader.read(100)) == content[20 * MIB : 20 * MIB + 100]


def test_only_one_creates_and_only_who_has_seen_the_last_version_updates(store: S3Store) -> None:
    """What table formats build their commits on: PUT with If-None-Match and with If-Match."""
    first = store.put("commit", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("commit", b"2", mode="create")
    second = store.put("commit", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        store.put("commit", b"3", mode={"e_tag": first["e_tag"]})
    assert store.head("commit")["e_tag"] == second["e_tag"]
    store.put("commit", b"4", mode="overwrite")
    assert bytes(store.get("commit").bytes()) == b"4"


def test_of_thirty_writers_one_wins_each_round(store: S3Store) -> None:
    """A counter that is read and replaced under its etag loses no count."""
    store.put("counter", b"0")

    async def count() -> int:
        tries = 0
        while True:
            tries += 1
            got = await store.get_async("counter")
            number = int(bytes(await got.bytes_async()))
            try:
                mode = {"e_tag": got.meta["e_tag"]}
                await store.put_async("counter", str(number + 1).encode(), mode=mode)  # type: ignore[arg-type]
                return tries
            except PreconditionError:
                assert tries < 1000

    async def all_count() -> list[int]:
        return await asyncio.gather(*(count() for _ in range(30)))

    asyncio.run(all_count())
    assert bytes(store.get("counter").bytes()) == b"30"


def test_a_signed_url_opens_one_object(store: S3Store) -> None:
    store.put("shown", b"x")
    url = obstore.sign(store, "GET", "shown", timedelta(minutes=1))
    assert requests.get(url, timeout=20).content == b"x"
    assert requests.put(url, b"y", timeout=20).status_code == 403


def test_a_wrong_secret_is_refused(s3: S3Plane) -> None:
    stranger = S3Store(
        "lake",
        endpoint=s3.url,
        access_key_id=ADMIN[0],
        secret_access_key="wrong",
        region="us-east-1",
        client_options={"allow_http": True},
    )
    with pytest.raises(BaseError, match=r"SignatureDoesNotMatch|403"):
        stranger.put("a", b"x")
