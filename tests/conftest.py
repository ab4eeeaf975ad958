"""Options and fixtures that all tests share."""

import gc
import signal
from collections.abc import Generator

import pytest
from slurm_cluster import slurm
from stores import db, place, postgres
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

CLUSTERS = ("ray", "slurm")
LONG = ("torture", "e2e", "ha", "faults", "engines", "clients", "conformance", "cli")
"""Folders whose tests start whole servers and wait for them, the longest first."""
APART = ("tests/sim/test_worlds.py", "tests/torture/")
"""Long tests that share nothing: any process may take the next one."""
__all__ = ["db", "place", "postgres", "slurm"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A run in the background of a shell has it ignored, and so would all that it starts: Ctrl-C would do nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-plans` writes what is there into the golden files; the reviewer reads the difference."""
    parser.addoption("--update-plans", action="store_true", help="rewrite golden plans and diagnostics")
    parser.addoption("--every-fault", action="store_true", help="fail at every write, not at a sample of them")
    parser.addoption("--cuts", type=int, default=4, help="how often the power of the object store's disk is cut")
    parser.addoption("--kills", type=int, default=6, help="how often the object store is killed under load")
    parser.addoption("--examples", type=int, default=6, help="how many stories the object store's model is told")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded with thousands of tests stays: nobody looks through it for what could be thrown away."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def cuts(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cuts"))


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


def _cluster(nodeid: str) -> str:
    return next((name for name in CLUSTERS if f"_{name}" in nodeid or f"[{name}" in nodeid), "")


def _rank(item: pytest.Item) -> int:
    """Where an item comes: clusters, then the folders of long tests, then all others, then what takes no time."""
    if _cluster(item.nodeid):
        return 0
    folder = next((n for n, name in enumerate(LONG, 1) if item.nodeid.startswith(f"tests/{name}/")), len(LONG) + 1)
    return folder + item.nodeid.startswith("src/")


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """A cluster takes half a minute to start, and what a file shares some seconds, in each process of a run that has
    one of its tests: so they go to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        return _cluster(nodeid) or (nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones first, so that in the end no process of a run waits for another's last file."""
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    config.option.loadscopereorder = False  # a file with many tests need not be a long one
    return Together(config, log)
