"""Each conformance test runs once for every engine of its capability's registry."""

from collections.abc import Iterator

import pytest
from engines import TASK_WORLDS, TaskWorld
from every_service import CASES, SERVICES, WITH_PLANES
from model_registries import MODEL_REGISTRIES, ModelRegistry
from notifiers import NOTIFIERS, Notifier
from object_stores import OBJECT_STORES, ObjectStore
from ray_world import shared_world
from secret_stores import SECRET_STORES, SecretStore
from services import PlaneService, Service
from traffic_routers import TRAFFIC_ROUTERS, TrafficRouter

from weyr.core.capability import Capability


def _called(case: tuple[Capability, str]) -> str:
    return f"{case[0].value} of {case[1]}"


WORLDS = {**TASK_WORLDS, "ray": shared_world}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[TaskWorld]:
    world = WORLDS[request.param]()
    yield world
    world.close()


@pytest.fixture(params=[name for name in WORLDS if not name.startswith("sim")])
def real_world(request: pytest.FixtureRequest) -> Iterator[TaskWorld]:
    """An engine that runs processes."""
    world = WORLDS[request.param]()
    yield world
    world.close()


@pytest.fixture(params=CASES, ids=_called)
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    capability, engine = request.param
    service = SERVICES[capability][engine]()
    yield service
    service.close()


@pytest.fixture(params=WITH_PLANES, ids=_called)
def plane_service(request: pytest.FixtureRequest) -> Iterator[PlaneService]:
    capability, engine = request.param
    service = SERVICES[capability][engine]()
    assert isinstance(service, PlaneService)
    yield service
    service.close()


@pytest.fixture(params=OBJECT_STORES)
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    store = OBJECT_STORES[request.param]()
    yield store
    store.close()


@pytest.fixture(params=MODEL_REGISTRIES)
def registry(request: pytest.FixtureRequest) -> Iterator[ModelRegistry]:
    registry = MODEL_REGISTRIES[request.param]()
    yield registry
    registry.close()


@pytest.fixture(params=TRAFFIC_ROUTERS)
def router(request: pytest.FixtureRequest) -> Iterator[TrafficRouter]:
    router = TRAFFIC_ROUTERS[request.param]()
    yield router
    router.close()


@pytest.fixture(params=SECRET_STORES)
def secrets(request: pytest.FixtureRequest) -> Iterator[SecretStore]:
    secrets = SECRET_STORES[request.param]()
    yield secrets
    secrets.close()


@pytest.fixture(params=NOTIFIERS)
def notifier(request: pytest.FixtureRequest) -> Iterator[Notifier]:
    notifier = NOTIFIERS[request.param]()
    yield notifier
    notifier.close()
