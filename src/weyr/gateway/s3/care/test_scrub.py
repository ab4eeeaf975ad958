"""The scrubber and the mending over a real store, with a second folder store as what heals it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.care.healing import Mender, Wanted
from weyr.gateway.s3.care.rot import HEALED_BY, State, counts, damages
from weyr.gateway.s3.care.scrub import Pass, Scrubber, keep_pass, kept_pass
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.receive import INLINE_MAX, Receiver
from weyr.gateway.s3.records import Bucket, Meta, Stored, bucket_named, current
from weyr.gateway.s3.replication.rules import simple_document
from weyr.gateway.s3.sealing import HEAD_BYTES, new_key
from weyr.gateway.s3.writes import NewObject, WriteCondition, put

MIB = 2**20
FAST = 1e12
KEY = new_key()
SIZES = {"in the index": 100, "one chunk": 70_000, "three chunks": 2 * MIB + 9}

ELSEWHERE = simple_document("elsewhere", "", sends_deletes=True).decode()


@dataclass
class SecondFolder:
    """A plain folder that has every object a second time, as files named by their keys."""

    folder: Path
    asked: int = 0

    async def bytes_of(self, wanted: Wanted) -> AsyncIterator[bytes] | None:
        self.asked += 1
        file = self.folder / wanted.key
        if not file.exists():
            return None
        return self._pieces(file.read_bytes()[wanted.start : wanted.start + wanted.count])

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 300_000):
            yield data[start : start + 300_000]


class World:
    def __init__(self, folder: Path, is_sealed: bool = False) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_sealed = is_sealed
        self.store = BlobStore(folder / "store")
        self.index = Index(folder / "store", self.store, self.loop)
        self.index.start()
        self.receiver = Receiver(self.store, self.loop)
        self.second = SecondFolder(folder / "second")
        self.second.folder.mkdir(exist_ok=True)
        self.scrubber = Scrubber(self.index, self.store, lambda: 1000.0, group=2)
        self.mender = Mender(self.index, self.store, self.second, self._key_of)

    def _key_of(self, bucket: Bucket, stored: Stored) -> bytes | None:
        return KEY if self.is_sealed else None

    async def make(self) -> None:
        await self.index.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))
        await self.index.write(partial(bucket_writes.set_setting, name="lake", setting=HEALED_BY, text=ELSEWHERE))

    async def put(self, key: str, data: bytes) -> int:
        """Stores it here and there. Gives its blob."""
        key_or_none = KEY if self.is_sealed else None
        received = await self.loop.run_in_executor(
            None, self.receiver.copy, [data], None, key_or_none, len(data) <= INLINE_MAX
        )
        new = NewObject(key, len(data), received.md5, 1, "v", Meta(), (received.blob,))
        await self.index.write(partial(put, bucket_name="lake", new=new, condition=WriteCondition()))
        (self.second.folder / key).write_bytes(data)
        return received.blob.id

    async def scrub(self) -> Pass:
        return await self.scrubber.walk(Pass(0), FAST)

    async def damage(self, blob: int, offset: int = -1) -> None:
        path = self.store.path_of(blob)
        if path.exists():
            data = bytearray(path.read_bytes())
            data[offset] ^= 4
            path.write_bytes(data)
        else:
            row = self.index.one("SELECT data FROM blobs WHERE id = ?", blob)
            assert row is not None
            await self.index.write(partial(_set, blob=blob, data=row[0][:-1] + bytes([row[0][-1] ^ 4])))

    def bytes_on_disk(self, blob: int) -> bytes:
        row = self.index.one("SELECT data FROM blobs WHERE id = ?", blob)
        assert row is not None
        return row[0] if row[0] is not None else self.store.path_of(blob).read_bytes()


def _set(transaction: object, blob: int, data: bytes) -> None:
    transaction.run("UPDATE blobs SET data = ? WHERE id = ?", data, blob)  # type: ignore[attr-defined] # any index's


def played(folder: Path, play: Callable[[World], Coroutine[None, None, None]], is_sealed: bool = False) -> None:
    async def run() -> None:
        world = World(folder, is_sealed)
        await world.make()
        try:
            await play(world)
        finally:
            world.receiver.close()
            world.index.close()
            world.store.close()

    asyncio.run(run())


def test_a_pass_finds_what_turned_what_was_cut_and_what_is_gone(tmp_path: Path) -> None:
    """And nothing else; a second pass finds the same and does not make it more."""

    async def play(world: World) -> None:
        blobs = [await world.put(f"key{n}", os.urandom(50_000)) for n in range(7)]
        small = await world.put("small", b"in the index")
        assert (await world.scrub()).damaged == 0
        await world.damage(blobs[1], 30_000)
        os.truncate(world.store.path_of(blobs[3]), 49_999)
        world.store.path_of(blobs[5]).unlink()
        await world.damage(small)

        for _ in range(2):
            done = await world.scrub()
            assert (done.blobs, done.damaged) == (8, 4)
            assert [damage.blob for damage in damages(world.index)] == sorted([blobs[1], blobs[3], blobs[5], small])
        assert "49999 bytes long and was 50000" in damages(world.index)[1].why

    played(tmp_path, play)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("is_sealed", [False, True], ids=["plain", "encrypted"])
def test_what_is_elsewhere_too_is_mended(tmp_path: Path, size: int, is_sealed: bool) -> None:
    """The bytes on disk are afterwards those that were there at first, whatever closed them."""

    async def play(world: World) -> None:
        blob = await world.put("key", os.urandom(size))
        before = world.bytes_on_disk(blob)
        await world.damage(blob, HEAD_BYTES + 5)
        await world.scrub()
        assert counts(world.index)[State.FOUND] == 1

        assert await world.mender.turn() == 1
        assert world.bytes_on_disk(blob) == before
        assert not damages(world.index)
        assert not list((tmp_path / "store" / "incoming").iterdir())
        assert (await world.scrub()).damaged == 0

    played(tmp_path, play, is_sealed)


def test_a_missing_file_is_brought_back(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        data = os.urandom(3 * MIB)
        blob = await world.put("key", data)
        world.store.path_of(blob).unlink()
        world.store.path_of(blob).parent.rmdir()
        await world.scrub()

        assert await world.mender.turn() == 1
        assert world.bytes_on_disk(blob) == data

    played(tmp_path, play)


def test_other_bytes_are_not_taken(tmp_path: Path) -> None:
    """A replica that has rotten too, or another version, mends nothing, and nothing of it is left."""

    async def play(world: World) -> None:
        blob = await world.put("key", os.urandom(50_000))
        await world.damage(blob)
        there = world.bytes_on_disk(blob)
        for other in (os.urandom(50_000), b"short", os.urandom(60_000)):
            (world.second.folder / "key").write_bytes(other)
            await world.scrub()
            await world.index.write(_again)
            assert await world.mender.turn() == 0
            assert [damage.state for damage in damages(world.index)] == [State.LOST]
            assert world.bytes_on_disk(blob) == there
        assert not list((tmp_path / "store" / "incoming").iterdir())

    played(tmp_path, play)


def _again(transaction: object) -> None:
    transaction.run("UPDATE rot SET state = 'found'")  # type: ignore[attr-defined] # any index's


def test_what_nobody_has_is_lost_and_not_asked_for_again(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        blob = await world.put("key", os.urandom(50_000))
        (world.second.folder / "key").unlink()
        await world.damage(blob)
        await world.scrub()
        for _ in range(3):
            await world.mender.turn()
        assert world.second.asked == 1
        stored = current(world.index, bucket_named(world.index, "lake").id, "key")
        assert stored is not None, "what is known of it stays"

    played(tmp_path, play)


def test_a_pass_goes_on_where_it_was(tmp_path: Path) -> None:
    """A store of many terabytes would else be scrubbed at its beginning for ever."""

    async def play(world: World) -> None:
        blobs = [await world.put(f"key{n}", os.urandom(20_000)) for n in range(6)]
        await world.damage(blobs[0])
        await world.damage(blobs[5])
        await world.index.write(partial(keep_pass, state=Pass(500, after=blobs[2], blobs=3, bytes=60_000, damaged=1)))
        kept = await world.index.aside(kept_pass)
        assert kept is not None

        done = await world.scrubber.walk(kept, FAST)
        assert (done.began_ms, done.blobs, done.damaged) == (500, 6, 2)
        assert [damage.blob for damage in damages(world.index)] == [blobs[5]], "what lies before was not looked at"
        assert await world.index.aside(kept_pass) == done

    played(tmp_path, play)
