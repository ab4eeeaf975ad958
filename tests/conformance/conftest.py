"""Each conformance test runs once for every engine of the registry."""

from collections.abc import Iterator

import pytest
from engines import TASK_WORLDS, TaskWorld


@pytest.fixture(params=TASK_WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[TaskWorld]:
    world = TASK_WORLDS[request.param]()
    yield world
    world.close()
