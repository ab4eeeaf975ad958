"""How many nodes of which pools are asked for."""

import pytest

from weyr.scheduling.placement import Node, Request
from weyr.scheduling.queueing import Lacking
from weyr.scheduling.scaling.nodes import Template, nodes_to_add

SMALL = Template("small", Node("", 4000, 8192), 100_000, room=10)
BIG = Template("big", Node("", 16000, 65536), 600_000, room=10)
GPU = Template("gpu", Node("", 16000, 65536, devices=4, model="H100"), 9_000_000, room=3)
L4 = Template("l4", Node("", 16000, 65536, devices=4, model="L4"), 2_000_000, room=3)


def one(cpu: int, devices: int = 0, tasks: int = 1, replicas: int = 1) -> Lacking:
    return Lacking(Request(cpu * 1000, 1024, devices=devices), replicas, tasks)


CASES: dict[str, tuple[list[Lacking], list[Template], dict[str, int]]] = {
    "nothing lacks": ([], [SMALL, GPU], {}),
    "four fill one node": ([one(1, tasks=4)], [SMALL], {"small": 1}),
    "a fifth needs another": ([one(1, tasks=5)], [SMALL], {"small": 2}),
    "small ones fill what large ones leave": ([one(3), one(1)], [SMALL], {"small": 1}),
    "too large for any node": ([one(64)], [SMALL, BIG], {}),
    "only the larger would do": ([one(8)], [SMALL, BIG], {"big": 1}),
    "the cheapest that would do": ([one(1, devices=1)], [GPU, L4], {"l4": 1}),
    "the next once that is full": ([one(1, devices=4, tasks=5)], [GPU, L4], {"l4": 3, "gpu": 2}),
    "no more than a pool may have": ([one(1, devices=4, tasks=50)], [GPU], {"gpu": 3}),
    "a gang whole": ([one(1, devices=4, replicas=3)], [GPU], {"gpu": 3}),
    "or not at all": ([one(1, devices=4, replicas=4)], [GPU], {}),
    "a gang stays in one pool": ([one(1, devices=4, replicas=4)], [GPU, L4], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_nodes_are_asked_for_as_they_would_be_filled(case: str) -> None:
    """Each node is paid for: one too many is waste, one too few is a wait."""
    lacking, templates, wanted = CASES[case]
    assert nodes_to_add(lacking, templates) == wanted
    assert nodes_to_add(lacking, templates[::-1]) == wanted
