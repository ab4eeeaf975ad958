"""What every engine with nodes promises of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from weyr.attempt.cluster_nodes import ClusterNode, ClusterNodes
from weyr.attempt.nvml import Found
from weyr.core.capability import Provider, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.pools import NodeBody, NodeFacts, NodeState
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, Unknown
from weyr.engines.local.nodes import LocalNodes
from weyr.sim import SimEngine, VirtualClock

POOL = Ref("box", "pool", "gpu")
FIRST, SECOND = ThingId(POOL, "n1"), ThingId(POOL, "n2")
BODY = NodeBody(POOL.absolute, cpu=2, memory_bytes=2**30, model="H100", devices=2)
LATER_S = 10.0

Engine = tuple[Provider, Callable[[], object]]
"""An engine's nodes, and what lets time pass until a new one is there."""


def _local(folder: Path) -> Engine:
    now = [1000.0]

    def later() -> None:
        now[0] += LATER_S

    return LocalNodes(folder / "nodes", 4, 2**32, lambda: Found(devices=()), lambda: now[0]), later


def _sim(_: Path) -> Engine:
    clock = VirtualClock()
    return SimEngine(clock, 1).pool_nodes, lambda: clock.advance(LATER_S)


def _cluster(folder: Path) -> Engine:
    """What Ray's and Slurm's nodes are kept by; real ones are looked at in tests/engines and tests/e2e."""
    facts = NodeFacts(NodeState.READY, cpu=2, memory_bytes=2**30, model="H100", devices=("0", "1"))
    there = {id.part: ClusterNode(facts) for id in (FIRST, SECOND)}
    return ClusterNodes(folder / "nodes.json", lambda: there, lambda: 1000.0), lambda: None


@pytest.fixture(params=[_local, _sim, _cluster], ids=["local", "sim", "cluster"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    made: Engine = request.param(tmp_path)
    return made


def test_a_node_comes_says_what_it_has_and_goes(engine: Engine) -> None:
    """Only what is seen to be there gets tasks, and only what is proved gone is no longer paid for."""
    nodes, later = engine
    assert nodes.observe([FIRST]) == {FIRST: Absent()}
    assert nodes.ensure([Wanted(FIRST, 1, BODY)]) == {}
    later()
    seen = nodes.observe([FIRST])[FIRST]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, NodeFacts)
    assert (seen.facts.state, seen.facts.cpu, seen.facts.model) == (NodeState.READY, 2, "H100")
    assert len(set(seen.facts.devices)) == 2
    nodes.release([FIRST])
    later()
    assert nodes.observe([FIRST]) == {FIRST: Absent()}
    assert list(nodes.inventory()) == []


def test_the_same_said_twice_does_nothing_new(engine: Engine) -> None:
    """A loop that does not know whether it was heard says it again."""
    nodes, later = engine
    nodes.ensure([Wanted(FIRST, 1, BODY)])
    later()
    before = nodes.observe([FIRST])
    nodes.ensure([Wanted(FIRST, 1, BODY), Wanted(SECOND, 1, BODY)])
    assert nodes.observe([FIRST]) == before
    assert sorted(nodes.inventory()) == [FIRST, SECOND]
    assert nodes.release([SECOND, SECOND]) == {}
    assert nodes.release([SECOND]) == {}


def test_an_older_generation_is_refused(engine: Engine) -> None:
    """A server that was thought dead must not undo what its successor said."""
    nodes, _ = engine
    nodes.ensure([Wanted(FIRST, 3, BODY)])
    assert isinstance(nodes.ensure([Wanted(FIRST, 2, BODY)]).get(FIRST), Refused)


def test_no_more_is_sliced_than_the_machine_has(tmp_path: Path) -> None:
    """The third of two halves is refused, the other two stay; a cloud's nodes have no such bound."""
    nodes, _ = _local(tmp_path)
    third = ThingId(POOL, "n3")
    answers = nodes.ensure([Wanted(id, 1, BODY) for id in (FIRST, SECOND, third)])
    assert list(answers) == [third]
    refused = answers[third]
    assert isinstance(refused, Refused)
    assert "6 CPUs, and this machine has 4" in refused.reason
    devices = [seen.facts for seen in nodes.observe([FIRST, SECOND]).values() if isinstance(seen, Present)]
    names = [name for facts in devices if isinstance(facts, NodeFacts) for name in facts.devices]
    assert len(set(names)) == 4, "no device is given to two nodes"


class Site:
    """A cluster's nodes, made up; silent while `trouble` says so."""

    def __init__(self, folder: Path) -> None:
        self.nodes = {name: ClusterNode(NodeFacts(NodeState.READY, labels=(("gpu", "a100"),))) for name in ("n1", "n2")}
        self.trouble, self._folder = "", folder

    def opened(self) -> ClusterNodes:
        """As the next server finds them."""
        return ClusterNodes(self._folder / "nodes.json", self._look, lambda: 1000.0)

    def _look(self) -> dict[str, ClusterNode]:
        if self.trouble:
            raise EngineSilent(self.trouble)
        return dict(self.nodes)


def test_a_clusters_node_is_in_one_pool_also_after_a_restart(tmp_path: Path) -> None:
    """Two pools that count the same devices would give each of them away twice."""
    site = Site(tmp_path)
    assert site.opened().offered(POOL.absolute, [("gpu", "a100")]) == ("n1", "n2")
    assert site.opened().offered(POOL.absolute, [("gpu", "h100")]) == ()
    site.opened().ensure([Wanted(FIRST, 1, BODY)])
    other = ThingId(Ref("ann", "pool", "mine"), "n1")
    assert site.opened().offered(other.ref.absolute, []) == ("n2",)
    answer = site.opened().ensure([Wanted(other, 1, BODY)])[other]
    assert answer == Refused("node n1 is in box:pool/gpu already")


def test_a_clusters_node_out_of_reach_is_unknown_and_one_that_is_gone_is_absent(tmp_path: Path) -> None:
    """Nothing begins twice because a cable was pulled; and a machine that took the name of another is another."""
    site = Site(tmp_path)
    nodes = site.opened()
    nodes.ensure([Wanted(FIRST, 1, BODY), Wanted(SECOND, 1, BODY)])
    site.nodes["n1"] = ClusterNode(NodeFacts(), lost="nobody has heard from it")
    site.nodes["n2"] = ClusterNode(NodeFacts(NodeState.READY), identity="another")
    assert nodes.observe([FIRST, SECOND]) == {FIRST: Unknown("nobody has heard from it"), SECOND: Absent()}
    del site.nodes["n1"]
    assert nodes.observe([FIRST]) == {FIRST: Absent()}
    site.trouble = "the head does not answer"
    with pytest.raises(EngineSilent, match="does not answer"):
        nodes.observe([FIRST])
