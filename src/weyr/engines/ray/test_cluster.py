"""What the head of a Ray cluster says of its nodes, as pools understand it."""

from weyr.core.pools import NodeFacts
from weyr.engines.ray.cluster import Asked, RayNode, cluster_nodes

GIB = 2**30
NODE = RayNode(
    id="a" * 56,
    name="10.0.0.7",
    resources={"CPU": 8.0, "memory": 16.0 * GIB, "GPU": 4.0, "accelerator_type:H100": 1.0},
    available={"CPU": 5.0, "memory": 16.0 * GIB, "GPU": 1.5},
    labels={"ray.io/node-id": "a" * 56, "rack": "r1"},
)


def facts(node: RayNode, ours: Asked | None = None) -> NodeFacts:
    (found,) = cluster_nodes([node], {node["id"]: ours or Asked()}).values()
    return found.facts


def test_a_node_has_what_others_leave_of_it() -> None:
    """Ray has given away three CPUs and two devices and a half; of those, what ours asked for is counted where our
    tasks are. A device that somebody has a part of is not whole."""
    left, ours = facts(NODE), facts(NODE, Asked(2.0, 0, 2.0))
    assert (left.cpu, left.memory_bytes, left.devices) == (5, 16 * GIB, ("0",))
    assert (ours.cpu, ours.devices) == (7, ("0", "1", "2"))


def test_our_own_tasks_that_have_not_begun_there_take_nothing_twice() -> None:
    """They are counted with our tasks already, and a node never has more than all of it."""
    assert facts(NODE, Asked(8.0, 0, 4.0)).cpu == 8


def test_what_the_head_does_not_know_yet_is_not_taken_for_full() -> None:
    """A node that has just joined."""
    assert facts({**NODE, "available": None}).cpu == 8


def test_its_labels_and_the_model_of_its_devices_can_be_asked_for() -> None:
    """Its id is no business of a stack file's."""
    assert facts(NODE).labels == (("gpu", "H100"), ("rack", "r1"))
    assert facts(NODE).model == "H100"


def test_a_node_that_takes_no_work_is_in_no_pool() -> None:
    """Such as the head, or the node by which a server reaches the cluster."""
    assert cluster_nodes([{**NODE, "resources": {"memory": 1.0}}], {}) == {}


def test_several_nodes_of_one_machine_are_told_apart() -> None:
    """And one that comes after another of its name has another identity."""
    other = RayNode(**{**NODE, "id": "b" * 56})
    found = cluster_nodes([NODE, other], {})
    assert sorted(found) == ["10.0.0.7-aaaaaa", "10.0.0.7-bbbbbb"]
    assert cluster_nodes([other], {})["10.0.0.7"].identity == "b" * 56
