"""What becomes of a replica that is never ready?"""

from endpoint_farm import Farm, endpoint, version

from weyr.core.decision import Phase

CANARY = {"strategy": "canary", "steps": ["5%", "50%"], "every": "1m", "min_requests": 100, "keep_old": "1m"}


def test_a_replica_that_is_never_ready_fails_in_its_time_and_another_is_tried() -> None:
    """A load that hangs is told as what it is, and the endpoint answers once one does come up."""
    farm = Farm(endpoint(ready_within="30s"), slow={"1", "2"})
    farm.step(5, after_s=5)
    assert farm.phase() is Phase.WORKING
    farm.step(4, after_s=5)
    assert farm.phase() is Phase.FAILED
    assert "replica 1 was not ready within" in farm.step(after_s=0).conditions[0].message

    farm.slow = set()
    farm.step(4, after_s=5)
    assert (farm.phase(), farm.wanted_route) == (Phase.READY, ["2"])


def test_a_canary_that_is_not_ready_in_time_is_taken_back() -> None:
    """It would otherwise wait for ever, with a machine's worth of memory, for a load that hangs."""
    farm = Farm(endpoint(scale={"min": 2, "max": 4}, rollout=CANARY, ready_within="30s"))
    farm.step(6)
    farm.model, farm.slow = version(2), {"3", "4", "5"}
    assert farm.step(4, after_s=5).conditions[0].reason == "RollingOut"

    decision = farm.step(8, after_s=5)

    assert "rollout.aborted" in [note.event for note in farm.history.story]
    assert "replica 3 was not ready within 35 s" in decision.conditions[0].message
    assert (farm.phase(), farm.wanted_route, farm.replicas) == (Phase.READY, ["1", "2"], ["1", "2"])
