"""The local engine under trial: real processes in a folder of their own, and nothing left of them afterwards."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
# What the other folders of tests offer: worlds of engines, and a running S3 plane.
sys.path[:0] = [str(TESTS / "conformance"), str(TESTS / "clients")]

from engines import LocalWorld  # noqa: E402 - found by the line above


@pytest.fixture
def local() -> Iterator[LocalWorld]:
    world = LocalWorld()
    yield world
    world.close()
