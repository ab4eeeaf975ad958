"""What every test of faults begins with: the other folders' worlds on the path, and a disk that can be filled."""

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
# Real engines, planes and users, as the other folders of tests start them.
sys.path[:0] = [str(TESTS / name) for name in ("conformance", "clients", "e2e", "gateway")]

from choosing import Choose  # noqa: E402 - found by the line above
from small_disk import SmallDisk, small_disk  # noqa: E402


@pytest.fixture
def choose(request: pytest.FixtureRequest) -> Choose:
    """Which of many faults to try: all of them with --every-fault, else the same few each time, ends included."""

    def some(faults: Sequence[int], count: int) -> list[int]:
        if request.config.getoption("--every-fault") or count >= len(faults):
            return list(faults)
        inner = random.Random(request.node.name).sample(list(faults[1:-1]), max(0, count - 2))
        return sorted([faults[0], *inner, faults[-1]])

    return some


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of this test's own."""
    with small_disk(tmp_path / "disk") as made:
        yield made
