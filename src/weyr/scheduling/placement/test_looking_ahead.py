"""What looking past the next request gains, on clusters small enough to follow by hand."""

from collections.abc import Sequence

from weyr.scheduling.placement import Cluster, Node, Outlook, Placed, Request
from weyr.scheduling.placement.forecast import forecast_of
from weyr.scheduling.placement.room import Need
from weyr.scheduling.placement.tolls import tolls

FAT, LEAN = Request(cpu_milli=8_000, devices=1), Request(cpu_milli=1_000, devices=1)
POOR, RICH = Node("poor", 16_000, 1, 8, "G2"), Node("rich", 64_000, 1, 8, "G2")


def by_the_next_request(nodes: Sequence[Node], requests: Sequence[Request], mix: Sequence[Request]) -> int:
    """How many whole-device requests find room if a node is chosen by what the very next one could not use: the rule of
    fragmentation gradient descent (USENIX ATC 2023), the first node among equals."""
    room = {node.name: (node.cpu_milli, node.devices) for node in nodes}
    placed = 0
    for request in requests:
        fits = [name for name, (cpu, free) in room.items() if cpu >= request.cpu_milli and free >= request.devices]
        after = {name: (room[name][0] - request.cpu_milli, room[name][1] - request.devices) for name in fits}
        rise = {name: _fragments(after[name], mix) - _fragments(room[name], mix) for name in fits}
        if fits:
            chosen = min(fits, key=rise.__getitem__)
            room[chosen] = after[chosen]
            placed += 1
    return placed


def _fragments(room: tuple[int, int], mix: Sequence[Request]) -> float:
    cpu, free = room
    return sum(free for next in mix if cpu < next.cpu_milli or free < next.devices) / len(mix)


def test_devices_are_not_stranded_without_cpu() -> None:
    """Each device is used: the next request would still fit beside a second fat one on the poor node, the rest not."""
    requests = [FAT, LEAN] * 8
    expected = Outlook([(FAT, 1), (LEAN, 1)])
    cluster = Cluster([POOR, RICH], outlook=expected)
    assert sum(isinstance(cluster.place(request, is_new=False), Placed) for request in requests) == 16
    assert by_the_next_request([POOR, RICH], requests, [FAT, LEAN]) < 16


def test_those_without_a_choice_find_room() -> None:
    """Jobs that run on any device leave the few T4 to those that need one, though it means a less snug place."""
    nodes = [Node("t4", 8_000, 1, 4, "T4"), Node("g2", 64_000, 1, 16, "G2")]
    anywhere, only_t4 = Request(1_000, devices=1), Request(1_000, devices=1, models=frozenset({"T4"}))
    cluster = Cluster(nodes, outlook=Outlook([(anywhere, 2), (only_t4, 1)]))
    answers = [cluster.place(request, is_new=False) for request in [anywhere] * 8 + [only_t4] * 4]
    assert all(isinstance(answer, Placed) for answer in answers)


def test_the_mix_is_learnt_from_what_comes() -> None:
    """Nobody has to say what to expect: after some requests the choice is the one of who was told."""
    told, learns = Cluster([POOR, RICH], outlook=Outlook([(FAT, 1), (LEAN, 1)])), Cluster([POOR, RICH])
    for _ in range(40):
        for request in (FAT, LEAN):
            answer = learns.place(request)
            if isinstance(answer, Placed):
                learns.release(answer)
    for request in [FAT, LEAN] * 8:
        assert learns.place(request, is_new=False) == told.place(request, is_new=False)


def test_a_remainder_counts_by_what_may_fill_it() -> None:
    """0.19 of a device is as good as lost where nothing so small comes, 0.53 is not."""
    mix = [(0.5, Need(0, 0, 0, 810, -1)), (0.5, Need(0, 0, 0, 470, -1))]
    rest = forecast_of(mix, 1).rest_milli
    assert rest[190] == 190
    assert rest[530] < 80


def test_cpu_that_runs_out_strands_the_rest() -> None:
    """With half the CPU that the kinds want in the mean, the half that wants none of it still fills the devices."""
    companion = forecast_of([(0.5, Need(0, 0, 1, 0, -1)), (0.5, Need(8_000, 0, 1, 0, -1))], 8).cpu
    assert companion.stranded_milli(8_000, 64_000) == 0
    assert companion.stranded_milli(8_000, 32_000) == 2_000
    assert companion.stranded_milli(8_000, 0) == 4_000


def test_a_toll_evens_out_demand() -> None:
    """Nobody pays where all are equally busy, or where demand can be spread so; else the busier shape costs."""
    both, first = frozenset({0, 1}), frozenset({0})
    assert tolls([(1.0, both)], [10, 30]) == [0, 0]
    assert tolls([(0.2, first), (0.8, both)], [10, 30]) == [0, 0]
    busy = tolls([(0.5, first), (0.5, both)], [10, 30])
    assert busy[1] == 0
    assert 0.6 < busy[0] < 0.7  # 0.5 on 10 beside 0.5 on 30: three times as busy
    assert tolls([], [10, 30]) == [0, 0]
