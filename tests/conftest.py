"""Options and fixtures that all tests share."""

import pytest
from slurm_cluster import slurm
from stores import place, postgres
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

CLUSTERS = ("ray", "slurm")
__all__ = ["place", "postgres", "slurm"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-plans` writes what is there into the golden files; the reviewer reads the difference."""
    parser.addoption("--update-plans", action="store_true", help="rewrite golden plans and diagnostics")
    parser.addoption("--every-fault", action="store_true", help="fail at every write, not at a sample of them")
    parser.addoption("--cuts", type=int, default=4, help="how often the power of the object store's disk is cut")
    parser.addoption("--kills", type=int, default=6, help="how often the object store is killed under load")
    parser.addoption("--examples", type=int, default=6, help="how many stories the object store's model is told")


@pytest.fixture
def cuts(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--cuts"))


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


class TogetherByCluster(LoadScopeScheduling):  # type: ignore[misc]
    """A cluster takes half a minute to start, and each process of a run has its own: its tests go to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name in CLUSTERS if f"_{name}" in nodeid or f"[{name}" in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TogetherByCluster:
    return TogetherByCluster(config, log)
