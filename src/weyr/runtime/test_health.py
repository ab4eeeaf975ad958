"""How soon is it seen that a program has become well?"""

from weyr.runtime.health import Pulse


def test_a_slow_start_is_seen_soon_after_it_is_over() -> None:
    """A program that took connections only after its third check was once left waiting for a whole pause."""
    pulse = Pulse(lambda: "", after_s=0.0, every_s=5.0, failures_max=3)
    for _ in range(20):
        pulse.note("it takes no connection")
    assert pulse.pause_s(0.1) == 0.01
    assert pulse.pause_s(2.0) == 0.1
    assert pulse.pause_s(40.0) == 2.0, "a load of minutes is not kept busy with questions"
    assert pulse.pause_s(4000.0) == 5.0


def test_once_it_was_well_it_is_looked_at_as_often_as_asked() -> None:
    """Also while it is not: nobody waits for the start of a program that has started."""
    pulse = Pulse(lambda: "", after_s=0.0, every_s=5.0, failures_max=3)
    pulse.note("")
    assert pulse.pause_s(0.0) == 5.0
    for _ in range(3):
        pulse.note("it hangs")
    assert not pulse.is_well
    assert pulse.pause_s(1.0) == 5.0
