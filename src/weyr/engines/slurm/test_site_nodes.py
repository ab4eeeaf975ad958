"""What sinfo says, as pools understand it."""

import pytest

from weyr.core.pools import NodeFacts, NodeState
from weyr.engines.slurm.site_nodes import Given, cluster_nodes, nodes_of

LINES = {
    "idle": "n1|main*|idle|0/4/0/4|4000|0|gpu:a100:2|gpu:a100:0(IDX:N/A)|nvlink,rack1|none|",
    "used by others": "n1|main*|mixed|3/1/0/4|4000|1000|gpu:a100:2(S:0-1)|gpu:a100:1(IDX:0)|(null)|none|",
    "drained": "n1|main*|idle+drain|0/0/4/4|4000|0|(null)|gpu:0|(null)|bad fan | x|",
    "down": "n1|main*|down|0/0/4/4|4000|0|(null)|gpu:0|(null)|gone|",
    "cut off": "n1|main*|down+not_responding|0/0/4/4|4000|0|(null)|gpu:0|(null)|Not responding|",
    "cut up": "n1|main*|idle|0/4/0/4|4000|0|gpu:a100:1,gpu:1g.10gb:2|gpu:0|(null)|none|",
}


def facts(name: str, ours: Given | None = None) -> NodeFacts:
    return cluster_nodes(nodes_of(LINES[name]), "", {"n1": ours or Given()})["n1"].facts


def test_a_node_has_what_others_leave_of_it() -> None:
    """Three of its CPUs are given away; one of them is ours already, and counted where our tasks are counted."""
    assert (facts("idle").cpu, facts("idle").devices) == (4, ("0", "1"))
    left, ours = facts("used by others"), facts("used by others", Given(1.0, 1000 << 20, 1))
    assert (left.cpu, left.memory_bytes >> 20, left.devices) == (1, 3000, ("0",))
    assert (ours.cpu, ours.memory_bytes >> 20, ours.devices) == (2, 4000, ("0", "1"))


def test_what_a_job_could_ask_of_it_is_a_label() -> None:
    """Features, the partition and the model of its devices."""
    labels = (("gpu", "a100"), ("nvlink", "yes"), ("partition", "main"), ("rack1", "yes"))
    assert facts("idle").labels == labels


@pytest.mark.parametrize(("name", "said"), [("drained", "drain (bad fan | x)"), ("down", "down (gone)")])
def test_a_node_that_takes_nothing_says_why(name: str, said: str) -> None:
    """A reason is free text, with whatever the operator typed."""
    assert facts(name).state is NodeState.DRAINING
    assert facts(name).detail == f"Slurm says that it is {said}"


def test_a_node_that_slurmctld_has_lost_is_lost_to_us() -> None:
    """Down because it is silent: it may be running all it ran."""
    node = cluster_nodes(nodes_of(LINES["cut off"]), "", {})["n1"]
    assert node.lost == "slurmctld has not heard from it (Not responding)"


def test_mig_instances_are_a_type_of_device_there() -> None:
    """And a pool's slices here."""
    assert facts("cut up").slices == (("1g.10gb", "1g.10gb/0"), ("1g.10gb", "1g.10gb/1"))
    assert (facts("cut up").model, facts("cut up").devices) == ("a100", ("0",))


def test_only_the_partition_of_the_jobs_counts() -> None:
    """A job could not be sent to the others."""
    rows = nodes_of(LINES["idle"] + "\n" + LINES["idle"].replace("main*", "spot").replace("n1", "n2"))
    assert list(cluster_nodes(rows, "", {})) == ["n1"]
    assert list(cluster_nodes(rows, "spot", {})) == ["n2"]


def test_what_is_not_in_our_format_is_no_answer() -> None:
    """A version that prints otherwise is found out, and not taken for an empty cluster."""
    with pytest.raises(ValueError, match="not what it was asked for"):
        nodes_of("n1 main idle\n")
