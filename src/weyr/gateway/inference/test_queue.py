"""Whose turn is it? What a caller who shares an endpoint with others may rely on."""

from weyr.gateway.inference.queue import FairQueue


def order(queue: FairQueue[str]) -> list[str]:
    return queue.take_all()


def test_one_who_sends_many_waits_behind_himself() -> None:
    """A caller with a thousand requests does not make another wait for all of them."""
    queue = FairQueue[str]()
    for number in range(4):
        queue.push(f"greedy{number}", "greedy", 1)
    queue.push("modest0", "modest", 1)
    queue.push("modest1", "modest", 1)
    assert order(queue) == ["greedy0", "modest0", "greedy1", "modest1", "greedy2", "greedy3"]


def test_who_comes_late_gets_no_credit_for_the_time_before() -> None:
    """A caller that was silent for an hour may not overtake everybody for the next one."""
    queue = FairQueue[str]()
    for number in range(4):
        queue.push(f"a{number}", "a", 1)
    assert [queue.pop(), queue.pop()] == ["a0", "a1"]
    for number in range(3):
        queue.push(f"b{number}", "b", 1)
    # From here on they alternate: b is not owed the two turns that a had while b was away.
    assert order(queue) == ["b0", "a2", "b1", "a3", "b2"]


def test_urgent_requests_go_first_whoever_sends_them() -> None:
    """An interactive request does not stand behind a batch."""
    queue = FairQueue[str]()
    for number in range(2):
        queue.push(f"batch{number}", "a", 0)
    queue.push("usual", "a", 1)
    queue.push("urgent", "b", 2)
    assert order(queue) == ["urgent", "usual", "batch0", "batch1"]


def test_a_caller_who_left_is_not_sent_on() -> None:
    """A disconnected caller costs the model nothing, and what is behind him moves up."""
    queue = FairQueue[str]()
    for name in ("a", "b", "c"):
        queue.push(name, "x", 1)
    queue.drop("b")
    queue.drop("b")
    assert len(queue) == 2
    assert order(queue) == ["a", "c"]


def test_those_who_left_take_no_memory() -> None:
    """An hour of callers that give up does not grow the queue while one keeps waiting."""
    queue = FairQueue[str]()
    queue.push("stays", "x", 1)
    for number in range(10_000):
        queue.push(str(number), str(number), 1)
        queue.drop(str(number))
    assert len(queue._heap) < 200
    assert len(queue._ends) == 1
    assert order(queue) == ["stays"]


def test_a_heavy_request_uses_more_of_its_callers_share() -> None:
    """Two callers with requests of different size get the same work done, not the same number."""
    queue = FairQueue[str]()
    for number in range(2):
        queue.push(f"big{number}", "a", 1, cost=3.0)
    for number in range(4):
        queue.push(f"small{number}", "b", 1)
    assert order(queue) == ["big0", "small0", "small1", "small2", "big1", "small3"]


def test_it_says_how_many_would_go_first() -> None:
    """Whoever cannot be served in time is told so at once, by where he would stand."""
    queue = FairQueue[str]()
    for number in range(10):
        queue.push(f"a{number}", "a", 1)
    queue.push("urgent", "c", 2)
    assert queue.ahead_of("b", 1) == 2  # the urgent one and one of a's: b's first goes second of its class
    assert queue.ahead_of("a", 1) == 11
    assert queue.ahead_of("b", 0) == 11  # less urgent than everybody
