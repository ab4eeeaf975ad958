"""An index that another process writes behaves as one's own: results, refusals and what is kept come over the line."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.far_index import Crew, FarIndex, NearLine
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.kept import OPEN_MAX, Kept
from weyr.gateway.s3.records import Meta, bucket_named, current
from weyr.gateway.s3.shared import Numbers, Shared
from weyr.gateway.s3.usage import Counters, Use, gone_of
from weyr.gateway.s3.writes import NewBlob, NewObject, WriteCondition, delete, put

NAME = "7"


@dataclass
class Pair:
    near: Index
    far: FarIndex
    far_blobs: BlobStore
    line: asyncio.Transport
    crew: Crew

    async def put(self, key: str, count: int = 1) -> list[int]:
        """An object of so many files, taken in at the far end."""
        blobs = []
        for _ in range(count):
            blob = self.far_blobs.new_id()
            descriptor = self.far_blobs.begin(blob)
            os.write(descriptor, b"x" * 10)
            os.close(descriptor)
            blobs.append(NewBlob(blob, 10, None, digests=b"d" * 8))
        new = NewObject(key, 10 * count, "e", 1, "v", Meta(), tuple(blobs))
        await self.far.write(partial(put, bucket_name="lake", new=new, condition=WriteCondition()))
        return [blob.id for blob in blobs]

    async def delete(self, key: str) -> None:
        marker = NewObject(key, 0, "", 1, "v", Meta())
        operation = partial(delete, bucket_name="lake", key=key, version="", marker=marker, condition=WriteCondition())
        await self.far.write(operation)


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()
    shared = Shared(2)
    blobs = BlobStore(folder, Numbers(shared))
    near = Index(folder, blobs, loop)
    near.start()
    ours, theirs = socket.socketpair()
    crew = Crew()
    end, _ = await loop.create_unix_connection(lambda: crew.joined(NearLine(near, blobs, NAME)), sock=ours)
    far = FarIndex(folder, loop)
    line, _ = await loop.create_unix_connection(lambda: far.line, sock=theirs)
    far_blobs = BlobStore(folder, Numbers(shared), NAME)
    await far.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))
    yield Pair(near, far, far_blobs, line, crew)
    line.close()
    await until(end.is_closing)
    far.close()
    near.close()
    for store in (blobs, far_blobs):
        store.close()
    shared.close()


def boom(transaction: Transaction) -> None:
    raise ZeroDivisionError("as a bug would")


def slow_answer(transaction: Transaction, size: int) -> bytes:
    return b"x" * size


async def until(is_so: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


async def until_gone(paths: list[Path]) -> None:
    await until(lambda: not any(path.exists() for path in paths))


def test_writes_go_over_the_line_and_answers_come_back(tmp_path: Path) -> None:
    """What was written is read at both ends; large answers and many at once are put together again."""

    async def run() -> None:
        async with pair(tmp_path) as two:
            await asyncio.gather(*(two.put(f"k{n}") for n in range(300)))
            assert two.far.one("SELECT objects FROM buckets") == (300,)
            there = current(two.near, 1, "k299")
            assert there is not None
            assert there.size == 10
            answers = await asyncio.gather(*(two.far.write(partial(slow_answer, size=n * 1000)) for n in range(300)))
            assert [len(answer) for answer in answers] == [n * 1000 for n in range(300)]

    asyncio.run(run())


def test_a_refusal_keeps_its_words(tmp_path: Path) -> None:
    """S3's error, its fields and its headers; a fault of ours is one at the far end too."""

    async def run() -> None:
        async with pair(tmp_path) as two:
            with pytest.raises(S3Error) as refused:
                await two.far.write(partial(bucket_writes.create, name="lake", owner="you", now_ms=0))
            error = refused.value
            assert (error.code, error.status, error.fields) == ("BucketAlreadyExists", 409, {"BucketName": "lake"})
            with pytest.raises(ZeroDivisionError):
                await two.far.write(boom)
            with pytest.raises((AttributeError, TypeError)):
                await two.far.write(lambda transaction: None)
            await two.put("still works")

    asyncio.run(run())


@pytest.mark.parametrize("count", [1, OPEN_MAX, OPEN_MAX + 8])
def test_what_is_being_read_can_be_read_to_its_end(tmp_path: Path, count: int) -> None:
    """Few files are held open, many are pinned where they would be removed; either way their bytes stay."""

    async def run() -> None:
        async with pair(tmp_path) as two:
            blobs = await two.put("a", count)
            kept = Kept(two.far_blobs, two.far)
            await kept.keep(blobs)

            await two.delete("a")

            await two.put("b")  # whoever removes has had its turn
            for blob in blobs:
                descriptor = kept.open(blob)
                assert os.read(descriptor, 20) == b"x" * 10
                os.close(descriptor)
            with pytest.raises(FileNotFoundError):
                await Kept(two.far_blobs, two.far).keep(blobs)
            kept.close()
            await until_gone([two.far_blobs.path_of(blob) for blob in blobs])

    asyncio.run(run())


def test_nothing_of_a_process_that_died_stays(tmp_path: Path) -> None:
    """What it had pinned may go, what it had begun to take in is removed, and what it wrote is there."""

    async def run() -> None:
        async with pair(tmp_path) as two:
            blobs = await two.put("a", OPEN_MAX + 1)
            kept = Kept(two.far_blobs, two.far)
            await kept.keep(blobs)
            half = two.far_blobs.new_id()
            os.close(two.far_blobs.begin(half))
            others = BlobStore(tmp_path, name="17")
            other = others.new_id()
            os.close(others.begin(other))
            waiting = asyncio.ensure_future(two.put("b"))
            await asyncio.sleep(0)
            await two.delete("a")

            two.line.abort()

            await until_gone([two.far_blobs.path_of(blob) for blob in blobs] + [two.far_blobs.begun(half)])
            assert others.begun(other).exists()
            others.close()
            await asyncio.wait([waiting])
            assert current(two.near, 1, "b") is not None
            with pytest.raises(OSError, match="gone"):
                await two.put("c")

    asyncio.run(run())


def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """Processes take blocks of numbers from one counter, also when many threads of each ask."""
    shared = Shared(1)
    numbers = [Numbers(shared) for _ in range(3)]
    numbers[0].begin(5000)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(write, b"".join(numbers[2].next().to_bytes(8, "big") for _ in range(500)))
        os._exit(0)
    taken = [n.next() for _ in range(500) for n in numbers[:2]]
    os.waitpid(pid, 0)
    there = os.read(read, 4000)
    taken += [int.from_bytes(there[at : at + 8], "big") for at in range(0, 4000, 8)]
    assert len(set(taken)) == 1500
    assert min(taken) == 5000
    os.close(read)
    os.close(write)
    shared.close()


def test_what_a_worker_counted_of_a_bucket_that_goes_is_not_lost(tmp_path: Path) -> None:
    """It counts in memory and writes that down once a second; whoever asks for the last reading has it written down
    first, after what it was writing already. A worker that is gone has nothing to add, one that hangs is not waited for
    in vain."""

    async def run() -> None:
        async with pair(tmp_path) as two:
            counters, lake = Counters(), bucket_named(two.far, "lake")
            two.far.flushed = partial(counters.flush, two.far)
            counters.asked(lake, "PUT", "s3:PutObject")
            under_way = asyncio.create_task(counters.flush(two.far))
            await asyncio.sleep(0)
            counters.asked(lake, "GET", "s3:GetObject", "COLD")
            await two.near.write(partial(bucket_writes.remove_empty, name="lake"))
            counters.left(lake, "10.0.0.9", "", 7)

            assert await two.crew.flush()
            gone = gone_of(two.near, "me")
            assert gone is not None
            assert (gone.use, [(one.name, one.reads) for one in gone.classes]) == (Use(1, 0, 0, 7), [("COLD", 1)])
            assert await under_way

            two.line.close()
            assert await two.crew.flush()
            await until(lambda: not two.crew.workers)
            await two.near.write(partial(bucket_writes.create, name="sea", owner="me", now_ms=9))
            assert gone_of(two.near, "me") is None, "its owner lives anew"

    asyncio.run(run())
