"""Who may start, of those that wait."""

from hypothesis import given
from hypothesis import strategies as st

from weyr.scheduling.admission import Claim, Room, admitted

GIB = 2**30
CLAIMS = st.builds(
    Claim,
    cpu=st.floats(0.01, 8),
    memory_bytes=st.integers(0, 8 * GIB),
    is_standing=st.booleans(),
)


def test_as_many_start_as_the_machine_has_room_for() -> None:
    """A thousand jobs on two CPUs run two at a time."""
    waiting = {n: Claim(1) for n in range(1000)}
    assert admitted(Room(2, GIB), [], waiting) == [0, 1]
    assert admitted(Room(2, GIB), [Claim(1)], waiting) == [0]
    assert admitted(Room(2, GIB), [Claim(1), Claim(1)], waiting) == []


def test_memory_counts_like_cpu() -> None:
    """Two jobs of 3 GiB each would drive a machine of 4 GiB out of memory."""
    waiting = {n: Claim(0.1, 3 * GIB) for n in range(3)}
    assert admitted(Room(8, 4 * GIB), [], waiting) == [0]


def test_a_large_one_is_not_passed_for_ever() -> None:
    """Small jobs behind a large one wait too: else it would never find the machine empty enough."""
    assert admitted(Room(2, GIB), [Claim(1)], {"large": Claim(2), "small": Claim(0.1)}) == []


def test_what_stands_waits_for_nobody() -> None:
    """A new replica on a full machine comes up, or the old one could never go."""
    held = [Claim(2, is_standing=True)]
    assert admitted(Room(2, GIB), held, {"job": Claim(1), "more": Claim(1), "replica": Claim(2, 0, True)}) == [
        "job",
        "replica",
    ]


@given(st.lists(CLAIMS, max_size=6), st.lists(CLAIMS, max_size=30), st.floats(0.5, 16), st.integers(GIB, 16 * GIB))
def test_never_too_many_and_never_out_of_turn(held: list[Claim], line: list[Claim], cpu: float, memory: int) -> None:
    """However it is loaded: jobs start within the room or alone, in order, and someone can always go on."""
    waiting = dict(enumerate(line))
    let_in = admitted(Room(cpu, memory), held, waiting)
    jobs = [n for n in let_in if not waiting[n].is_standing]
    others = [n for n, claim in waiting.items() if not claim.is_standing]
    assert jobs == others[: len(jobs)]
    assert [n for n in let_in if waiting[n].is_standing] == [n for n, c in waiting.items() if c.is_standing]
    if all(claim.is_standing for claim in held) and others:
        assert jobs
    if len(jobs) + sum(not claim.is_standing for claim in held) > 1 and jobs:
        before = [*held, *(waiting[n] for n in let_in if n < jobs[-1])]
        assert sum(claim.cpu for claim in before) + waiting[jobs[-1]].cpu <= cpu + 1e-5
        assert sum(claim.memory_bytes for claim in before) + waiting[jobs[-1]].memory_bytes <= memory
