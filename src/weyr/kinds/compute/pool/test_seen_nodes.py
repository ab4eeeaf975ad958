"""A pool of nodes that are there without us."""

from dataclasses import replace

import pytest

from weyr.core.capability import Capability
from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Ensure, Release, Thing, View, Want
from weyr.core.diagnostic import Severity
from weyr.core.pools import NodeFacts, NodeState, NodeUse, PoolBody, PoolFacts
from weyr.core.ref import Ref
from weyr.core.seen import Absent, Present, Seen, Unknown
from weyr.kinds.compute.pool.checks import checks
from weyr.kinds.compute.pool.decide import PoolMemory, decide, node_body
from weyr.kinds.compute.pool.seen_nodes import LOOK_S, SETTLING_LOOK_S
from weyr.kinds.compute.pool.spec import PoolSpec

REF = Ref("team", "pool", "site")
SPEC = PoolSpec(on="slurm")
BODY = node_body(REF, SPEC)
READY = Present(NodeFacts(NodeState.READY, 1.0), 1)
DRAINED = Present(NodeFacts(NodeState.DRAINING, 1.0, detail="bad fan"), 1)


def look(facts: PoolFacts | None, **seen: Seen) -> Decision[PoolMemory]:
    things = {name: Thing(name, Capability.NODES, 1, each, BODY, is_accepted=True) for name, each in seen.items()}
    if facts is not None:
        things[""] = Thing("", Capability.POOLS, 1, Present(facts, 1), PoolBody(BODY), is_accepted=True)
    return decide(Want(REF, SPEC, 1), View(100.0, things))


def changes(decision: Decision[PoolMemory], *known: str) -> tuple[list[str], list[str]]:
    """Which it takes, and which it lets go."""
    ensures = [a.part for a in decision.actions if isinstance(a, Ensure) and a.part]
    return [part for part in ensures if part not in known], [a.part for a in decision.actions if isinstance(a, Release)]


def test_the_nodes_that_the_cluster_has_are_taken() -> None:
    """Nobody has to write them down."""
    assert changes(look(PoolFacts(offered=("n1", "n2")), n1=READY), "n1") == (["n2"], [])


def test_a_node_that_is_gone_is_let_go_and_told_of() -> None:
    """What ran there is lost with it; one that comes back is taken anew."""
    decision = look(PoolFacts(offered=("n1",)), n1=READY, n2=Absent())
    assert changes(decision, "n1", "n2") == ([], ["n2"])
    assert [note.event for note in decision.notes] == ["node.gone"]


def test_a_node_out_of_reach_stays() -> None:
    """Silence is not absence: what runs there runs on, whether it is listed or not."""
    decision = look(PoolFacts(offered=("n1",)), n1=Unknown("cut off"), n2=Unknown("cut off"))
    assert changes(decision, "n1", "n2") == ([], [])
    assert decision.conditions[0].message == "0 of 2 nodes take tasks, 2 out of reach"


def test_a_node_that_the_pool_does_not_want_any_more_is_let_go() -> None:
    """Its labels changed, or those that the pool asks for."""
    assert changes(look(PoolFacts(offered=("n1",)), n1=READY, n2=READY), "n1", "n2") == ([], ["n2"])


def test_a_silent_cluster_changes_nothing() -> None:
    """And the pool says whose silence it is."""
    decision = look(PoolFacts(offered=None, trouble="Slurm has not answered for 9 s"), n1=READY)
    assert changes(decision, "n1") == ([], [])
    assert (decision.conditions[0].status, decision.conditions[0].message) == (None, "Slurm has not answered for 9 s")


def test_a_drained_node_stays_in_its_pool() -> None:
    """Its operator gives it back one day."""
    decision = look(PoolFacts(offered=("n1", "n2")), n1=READY, n2=DRAINED)
    assert changes(decision, "n1", "n2") == ([], [])
    assert decision.conditions[0].message == "1 of 2 nodes take tasks, 1 drained or down"


def test_a_pool_that_goes_lets_its_nodes_go() -> None:
    """The cluster keeps them."""
    things = {"n1": Thing("n1", Capability.NODES, 1, READY, BODY, is_accepted=True)}
    gone: Want[PoolSpec] = Want(REF, None, 2)
    assert decide(gone, View(100.0, things)).actions == (Release("n1"),)


SAID: dict[str, object] = {"cpu": 4, "max": 1, "min": 0, "mig": {"1g.10gb": 1}, "idle_after": "5m", "market": "spot"}


@pytest.mark.parametrize("field", SAID)
def test_what_a_clusters_nodes_cannot_honour_is_refused(field: str) -> None:
    """Also where it says what is so by default: a setting is never ignored."""
    spec = PoolSpec.model_validate({"on": "slurm", field: SAID[field]})
    found = list(checks(Proposal({REF: spec}, {})))
    assert [(each.path, each.severity) for each in found if each.severity is Severity.FATAL] == [
        ((field,), Severity.FATAL)
    ]
    made = replace(Proposal({REF: PoolSpec.model_validate({field: SAID[field]})}, {}))
    assert not [each for each in checks(made) if each.severity is Severity.FATAL]


def test_a_pool_looks_soon_while_its_scheduler_does_not_know_what_is_free() -> None:
    """A server that has just begun: what is left of each node is told at once, not a whole look later."""
    known = NodeUse("n1", free={"cpu": 4000})
    assert look(PoolFacts(offered=("n1",)), n1=READY).again_s == SETTLING_LOOK_S
    assert look(PoolFacts(offered=("n1",), nodes=(known,)), n1=READY).again_s == LOOK_S
    assert look(PoolFacts(offered=("n1",), nodes=(NodeUse("n1"),)), n1=DRAINED).again_s == LOOK_S
