"""The cache gives out what was put in and nothing else, and never takes more room than it may."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weyr.gateway.s3.remote.cache import TAIL_BYTES, Cache, Held, name_of

KB = 1024
BOUND = 100 * KB


def files_of(folder: Path) -> list[Path]:
    return [path for kind in ("blocks", "arriving") for path in (folder / kind).rglob("*") if path.is_file()]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in files_of(folder))


def name(block: int) -> str:
    return name_of("s3://bucket", "key", "etag", block)


def bytes_of(held: Held | None, count: int) -> bytes:
    assert held is not None
    return os.pread(held.descriptor, count, 0)


def test_a_block_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Under its own name, and no other: another version of the object is another block."""
    cache = Cache(tmp_path, BOUND)
    kept = cache.keep(name(0), b"weights")

    assert bytes_of(kept, 7) == b"weights"
    assert bytes_of(cache.find(name(0), 7), 7) == b"weights"
    assert cache.find(name(1), 7) is None
    assert len({name_of("a", "b", "c", 0), name_of("a", "b", "d", 0), name_of("a", "bc", "", 0), name(0)}) == 4


@pytest.mark.parametrize("at", [0, 500, 999, 1000, 1010, 1015])
def test_a_flipped_bit_is_a_miss(at: int, tmp_path: Path) -> None:
    """Wherever it is, in the bytes or behind them; the block is fetched again, and the bad one is gone."""
    cache = Cache(tmp_path, BOUND)
    cache.keep(name(0), bytes(1000))
    (file,) = files_of(tmp_path)
    data = bytearray(file.read_bytes())
    data[at] ^= 4
    file.write_bytes(data)

    assert cache.find(name(0), 1000) is None
    assert (cache.damaged, files_of(tmp_path)) == (1, [])
    assert bytes_of(cache.keep(name(0), bytes(1000)), 1000) == bytes(1000)


@pytest.mark.parametrize("length", [0, 999, 1000, 1015, 1017])
def test_a_torn_file_is_a_miss(length: int, tmp_path: Path) -> None:
    """Nothing is synced here, so that a power cut may leave any length."""
    cache = Cache(tmp_path, BOUND)
    cache.keep(name(0), bytes(1000))
    os.truncate(files_of(tmp_path)[0], length)

    assert cache.find(name(0), 1000) is None


def test_the_bound_is_kept_and_the_oldest_goes_first(tmp_path: Path) -> None:
    """What was read lately stays, however long ago it came."""
    cache = Cache(tmp_path, BOUND)
    for number in range(9):
        cache.keep(name(number), bytes(10 * KB))
    for age, file in enumerate(sorted(files_of(tmp_path), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(file, (1_000_000 + age, 1_000_000 + age))
    assert cache.find(name(0), 10 * KB) is not None  # and is the newest now
    for number in range(9, 20):
        cache.keep(name(number), bytes(10 * KB))
        assert size_of(tmp_path) <= BOUND

    assert cache.find(name(1), 10 * KB) is None
    assert cache.find(name(19), 10 * KB) is not None
    assert cache.keep(name(99), bytes(BOUND)) is None  # larger than everything together


def test_the_first_used_survives_one_round(tmp_path: Path) -> None:
    """A block that is read again is not the one that goes next."""
    cache = Cache(tmp_path, BOUND)
    for number in range(9):
        cache.keep(name(number), bytes(10 * KB))
        os.utime(tmp_path / "blocks" / name(number)[:2] / name(number), (1_000_000 + number,) * 2)
    cache.find(name(0), 10 * KB)
    cache.keep(name(9), bytes(10 * KB))

    assert cache.find(name(0), 10 * KB) is not None
    assert cache.find(name(1), 10 * KB) is None


def test_processes_share_the_bound(tmp_path: Path) -> None:
    """Two that fill it at once keep it together."""
    code = (
        "import sys; from pathlib import Path; from weyr.gateway.s3.remote.cache import *\n"
        f"c = Cache(Path(sys.argv[1]), {BOUND})\n"
        "for n in range(300):\n"
        "    c.keep(name_of('i', sys.argv[2], 'e', n), bytes(7000))\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who]) for who in ("a", "b")]
    assert [worker.wait(60) for worker in workers] == [0, 0]

    assert 0 < size_of(tmp_path) <= BOUND


def test_a_smaller_bound_and_what_a_crash_left_are_seen_to_at_start(tmp_path: Path) -> None:
    """A plane that is started with a smaller cache has one, and a killed one leaves nothing that counts for ever."""
    cache = Cache(tmp_path, BOUND)
    for number in range(9):
        cache.keep(name(number), bytes(10 * KB))
    (tmp_path / "arriving" / "1-1").write_bytes(bytes(10 * KB))
    (tmp_path / "lock").write_bytes(b"torn")

    again = Cache(tmp_path, 50 * KB)
    again.recover()

    assert 0 < size_of(tmp_path) <= 50 * KB
    assert not list((tmp_path / "arriving").iterdir())
    assert again.keep(name(50), bytes(10 * KB)) is not None
    assert size_of(tmp_path) <= 50 * KB + TAIL_BYTES
