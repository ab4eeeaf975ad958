"""Where requests go: never more than there is, always where there is room, and where it leaves the rest most useful."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.scheduling.placement import Cluster, Node, Outlook, Placed, Refused, Request

BOX = Node("box", cpu_milli=32_000, memory_mib=131_072, devices=4, model="H100", device_memory_mib=81_920)
NODES = st.lists(
    st.builds(
        Node,
        name=st.just(""),
        cpu_milli=st.sampled_from([8_000, 32_000, 96_000]),
        memory_mib=st.sampled_from([16_384, 131_072]),
        devices=st.integers(0, 4),
        model=st.sampled_from(["H100", "T4"]),
        device_memory_mib=st.sampled_from([16_384, 81_920]),
        slices=st.sampled_from([{}, {"1g.10gb": 3}, {"1g.10gb": 1, "3g.40gb": 2}]),
        taints=st.sampled_from([frozenset(), frozenset({"spot"})]),
    ),
    min_size=1,
    max_size=5,
).map(lambda nodes: [replace(node, name=f"n{at}") for at, node in enumerate(nodes)])
ACCELERATORS = st.sampled_from(
    [
        {},
        {"devices": 1},
        {"devices": 3},
        {"share_milli": 300},
        {"share_milli": 470},
        {"share_milli": 810},
        {"share_memory_mib": 10_000},
        {"profile": "1g.10gb"},
    ]
)
REQUESTS = st.builds(
    lambda cpu, memory, accelerators, models, tolerates: Request(
        cpu, memory, models=models, tolerates=tolerates, **accelerators
    ),
    st.sampled_from([0, 1_000, 3_152, 12_000]),
    st.sampled_from([0, 1_000, 16_384]),
    ACCELERATORS,
    st.sampled_from([frozenset(), frozenset({"H100"})]),
    st.sampled_from([frozenset(), frozenset({"spot"})]),
)
STEPS = st.lists(st.one_of(REQUESTS, st.lists(REQUESTS, min_size=2, max_size=4), st.integers(0, 30)), max_size=40)


def play(cluster: Cluster, steps: list[Request | list[Request] | int]) -> list[Placed]:
    """Places requests and gangs; a number gives back the one placed so many before the last. What stands at the end."""
    standing: list[Placed] = []
    for step in steps:
        if isinstance(step, Request):
            answer = cluster.place(step)
            if isinstance(answer, Placed):
                standing.append(answer)
        elif isinstance(step, list):
            together = cluster.place_all(step)
            if not isinstance(together, Refused):
                standing.extend(together)
        elif standing:
            cluster.release(standing.pop(step % len(standing)))
    return standing


@given(NODES, STEPS)
def test_never_more_is_taken_than_there_is(nodes: list[Node], steps: list[Request | list[Request] | int]) -> None:
    """Whatever comes and goes: no CPU, memory, device or instance is given twice, and models and taints are kept."""
    standing = play(Cluster(nodes), steps)
    for node in nodes:
        here = [placed for placed in standing if placed.node == node.name]
        assert sum(placed.request.cpu_milli for placed in here) <= node.cpu_milli
        assert sum(placed.request.memory_mib for placed in here) <= node.memory_mib
        for device in range(node.devices):
            taken = [placed.share_milli or 1000 for placed in here if device in placed.devices]
            assert sum(taken) <= 1000
        instances = [instance for placed in here for instance in placed.slices]
        assert len(instances) == len(set(instances))
        assert all(number < node.slices[profile] for profile, number in instances)
        for placed in here:
            assert not placed.request.models or node.model in placed.request.models
            assert node.taints <= placed.request.tolerates


@given(NODES, STEPS, REQUESTS)
def test_each_gets_what_it_asked_for(
    nodes: list[Node], steps: list[Request | list[Request] | int], last: Request
) -> None:
    """A share lies on one device; whole devices are wholly free; and a refusal is true: every node lacks something."""
    cluster = Cluster(nodes)
    play(cluster, steps)
    lacks = cluster.lacks(last)
    answer = cluster.place(last)
    if isinstance(answer, Refused):
        assert all(lacks.values())
        return
    assert lacks[answer.node] == ""
    if last.devices:
        assert (len(set(answer.devices)), answer.share_milli) == (last.devices, 0)
    elif last.share_milli:
        assert (len(answer.devices), answer.share_milli) == (1, last.share_milli)
    elif last.share_memory_mib:
        node = next(node for node in nodes if node.name == answer.node)
        assert len(answer.devices) == 1
        assert (answer.share_milli or 1000) * node.device_memory_mib >= last.share_memory_mib * 1000
    assert [profile for profile, _ in answer.slices] == ([last.profile] if last.profile else [])


@given(NODES, STEPS)
def test_what_is_given_back_can_be_taken_again(nodes: list[Node], steps: list[Request | list[Request] | int]) -> None:
    """After all is released the cluster is empty; a cluster built from what is placed has the same room and answers."""
    cluster = Cluster(nodes, seed=3)
    standing = play(cluster, steps)
    again = Cluster(nodes, 3, Outlook())
    for placed in standing:
        again.take(placed)
    probes = [Request(1_000, devices=1), Request(share_milli=400), Request(8_000), Request(profile="1g.10gb")]
    assert [cluster.lacks(probe) for probe in probes] == [again.lacks(probe) for probe in probes]
    for placed in standing:
        cluster.release(placed)
    empty = Cluster(nodes)
    assert [cluster.lacks(probe) for probe in probes] == [empty.lacks(probe) for probe in probes]
    assert cluster.allocated_milli() == 0


@given(NODES, STEPS, st.integers(0, 3))
def test_what_is_kept_up_equals_what_is_worked_out_anew(
    nodes: list[Node], steps: list[Request | list[Request] | int], seed: int
) -> None:
    """Decisions are repeatable: a simulation, a restart and the running server choose alike from the same state."""
    expected = [(Request(4_000, 8_000, share_milli=470), 3.0), (Request(8_000, 8_000, devices=1), 2.0)]
    kept = Cluster(nodes, seed, Outlook(expected))
    standing: list[Placed] = []
    for step in steps:
        if isinstance(step, Request):
            anew = Cluster(nodes, seed, Outlook(expected))
            for placed in standing:
                anew.take(placed)
            answer = kept.place(step, is_new=False)
            assert answer == anew.place(step, is_new=False)
            if isinstance(answer, Placed):
                standing.append(answer)
        elif isinstance(step, int) and standing:
            kept.release(standing.pop(step % len(standing)))


@given(NODES, STEPS)
def test_a_gang_goes_whole_or_not_at_all(nodes: list[Node], steps: list[Request | list[Request] | int]) -> None:
    """Half a gang would hold its devices and wait for ever."""
    cluster = Cluster(nodes)
    play(cluster, steps)
    before = cluster.allocated_milli()
    gang = [Request(1_000, 1_000, devices=1), Request(1_000, 1_000, devices=1), Request(500, share_milli=500)]
    answer = cluster.place_all(gang)
    if isinstance(answer, Refused):
        assert answer.request in gang
        assert cluster.allocated_milli() == before
    else:
        assert [placed.request for placed in answer] == gang
        assert cluster.allocated_milli() == before + 2500


LACKS = {
    "cpu": (Request(cpu_milli=40_000), "has 32 CPU free, of 40 asked for"),
    "memory": (Request(memory_mib=131_073), "has 131072 MiB of memory free, of 131073 asked for"),
    "a whole device": (Request(devices=4), "has 3 devices wholly free, of 4 asked for"),
    "devices in all": (Request(devices=5), "has 4 devices in all, of 5 asked for"),
    "the model": (Request(devices=1, models=frozenset({"T4"})), "has H100, not T4"),
    "an instance": (Request(profile="1g.10gb"), "has no MIG instance 1g.10gb"),
    "a device so large": (Request(share_memory_mib=90_000), "has 81920 MiB on a device, of 90000 asked for"),
    "a label": (Request(labels=frozenset({("zone", "b")})), "is not labelled zone=b"),
    "nothing": (Request(cpu_milli=1_000, share_milli=999), ""),
}


@pytest.mark.parametrize("name", LACKS)
def test_a_node_says_what_it_lacks(name: str) -> None:
    """`weyr why` tells a person what to change, not that there is no capacity."""
    request, words = LACKS[name]
    cluster = Cluster([BOX])
    cluster.place(Request(share_milli=100))
    assert cluster.lacks(request) == {"box": words}


def test_a_full_share_names_the_most_that_is_free() -> None:
    """Asking for a little less is then a way out."""
    cluster = Cluster([replace(BOX, devices=1)])
    cluster.place(Request(share_milli=700))
    assert cluster.lacks(Request(share_milli=400)) == {"box": "has 30 % of a device free at most, of 40 % asked for"}


def test_a_request_is_for_one_thing() -> None:
    """Half a device and two whole ones is a mistake, not a request."""
    with pytest.raises(ValueError, match="whole devices, a share"):
        Request(devices=2, share_milli=500)
    with pytest.raises(ValueError, match="less than nothing"):
        Request(cpu_milli=-1)
    with pytest.raises(ValueError, match="a whole device is"):
        Request(share_milli=1000)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Request(cpu_milli=float("nan")), "less than nothing"),  # type: ignore[arg-type]
        (lambda: Request(share_milli=0.5), "whole thousandths"),  # type: ignore[arg-type]
        (lambda: Request(devices=1, models="A100"), "frozenset of names"),  # type: ignore[arg-type]
        (lambda: Node("box", -1, 1), "less than nothing"),
    ],
)
def test_what_no_world_has_is_refused_where_it_is_made(made: Callable[[], object], words: str) -> None:
    """Half a thousandth, or a model's name for a set of them, would go to the wrong node without a word."""
    with pytest.raises(ValueError, match=words):
        made()


def test_a_share_of_memory_is_a_share_of_that_device() -> None:
    """40 GiB is half of an 80 GiB device and all of a smaller one."""
    cluster = Cluster([BOX, Node("small", 32_000, 131_072, 1, "A100", 40_960)])
    half, whole = cluster.place(Request(share_memory_mib=40_960)), cluster.place(Request(share_memory_mib=40_960))
    assert isinstance(half, Placed)
    assert isinstance(whole, Placed)
    assert {half.node: half.share_milli, whole.node: whole.share_milli} == {"box": 500, "small": 0}


def test_room_that_is_not_there_cannot_be_taken() -> None:
    """Two answers for one device, after a restart, are found before a task starts."""
    cluster = Cluster([BOX])
    placed = cluster.place(Request(1_000, devices=2))
    assert isinstance(placed, Placed)
    with pytest.raises(ValueError, match="of device 0 and 1"):
        cluster.take(placed)
    with pytest.raises(ValueError, match="no node"):
        cluster.take(replace(placed, node="gone"))


def test_nothing_is_given_back_twice() -> None:
    """A device that is free twice over would be given to two."""
    cluster = Cluster([BOX])
    placed = cluster.place(Request(devices=1))
    assert isinstance(placed, Placed)
    cluster.release(placed)
    with pytest.raises(ValueError, match="does not hold"):
        cluster.release(placed)
    assert cluster.allocated_milli() == 0


@given(NODES, STEPS, REQUESTS)
def test_as_many_fit_as_are_counted_and_only_where_they_may(
    nodes: list[Node], steps: list[Request | list[Request] | int], last: Request
) -> None:
    """A gang is let in by this count, and kept off the nodes that somebody else waits for."""
    cluster = Cluster(nodes)
    play(cluster, steps)
    count = cluster.count(last, 50, but={"n0"})
    fitted = 0
    while fitted < 50 and isinstance(answer := cluster.place(last, may_go=lambda name: name != "n0"), Placed):
        assert answer.node != "n0"
        fitted += 1
    assert fitted == count
