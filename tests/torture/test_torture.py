"""The demo ends as it should though every process of it is killed. `make torture` plays twenty moments of each."""

import pytest
from torture import again, drawn, outcome
from victims import Process, Victim
from watching import doubles

PLAYS = {
    1: (Victim.SERVER, Victim.S3, Victim.INFERENCE, Victim.TASK, Victim.REPLICA),
    2: (Victim.SERVER, Victim.S3, Victim.WRAPPER, Victim.LAUNCHER, Victim.AGENT),
}


@pytest.mark.parametrize("seed", PLAYS)
def test_the_demo_ends_as_it_should_whoever_is_killed(seed: int) -> None:
    """Plan, training, gate, endpoint and down, with each victim killed once, at moments that the seed chooses."""
    moments = drawn(seed, PLAYS[seed], stretch=1.0, kills=len(PLAYS[seed]))

    problems, play = outcome(seed, moments)

    assert not problems, "\n".join([*problems, f"play it again: {again(seed, moments)}"])
    assert len(play.killed) >= len(moments) - 2, f"too few were there to be killed: {play.missed}"


def test_two_processes_of_one_job_are_noticed() -> None:
    """A watch that cannot see what must not be proves nothing; what a program forks itself is still that program."""
    first = Process(10, "1", 5, "task", "digits:job/train#1")
    forked = Process(11, "2", 10, "task", "digits:job/train#1")
    second = Process(12, "3", 6, "task", "digits:job/train#2")

    assert doubles({10: first, 11: forked}) == []
    assert len(doubles({10: first, 12: second})) == 1
