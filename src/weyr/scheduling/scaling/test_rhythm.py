"""A rhythm is found alike, whether its steps were heard one by one or many at once."""

from operator import mul

from weyr.scheduling.scaling.arrivals import _products, period_of


def test_steps_of_one_mean_are_added_up_as_if_each_were_another() -> None:
    """Who is looked at every two hours tells of a hundred minutes at once: they are weighed by their jumps."""
    for longest in (1, 5, 60, 120):
        offs: list[float] = []
        while len(offs) < 480:
            number = len(offs) + 1
            offs += [number * 7919 % 101 / 10 - 5] * (number * 31 % longest + 1)
        expected = [sum(map(mul, offs, offs[lag:])) for lag in range(len(offs) // 2 + 1)]
        found = _products(offs, len(offs) // 2)
        assert len(found) == len(expected)
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 1e-9 * expected[0]


def test_a_rhythm_of_long_steps_is_found() -> None:
    assert period_of([3.0] * 60 + [1.0] * 60 + [3.0] * 60 + [1.0] * 60) == 120
    assert period_of([2.0] * 240) == 0
