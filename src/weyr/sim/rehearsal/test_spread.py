"""What is drawn is as unlike as what was measured, and in the mean the same."""

import random

import pytest

from weyr.core.work_times import class_of
from weyr.sim.rehearsal.spread import LEAST, Spread


def spread() -> Spread:
    found = Spread.of({class_of(0.1): 80.0, class_of(0.2): 15.0, class_of(2.0): 5.0})
    assert found is not None
    return found


def test_the_mean_is_one_however_it_is_drawn() -> None:
    """A bill goes by the mean: it is the measured one, whatever is done with the shape."""
    chance, known = random.Random(1), spread()
    drawn = [known.factor(chance) for _ in range(20_000)]
    assert sum(drawn) / len(drawn) == pytest.approx(1.0, rel=0.03)
    assert sum(factor * share for factor, share in known.parts) == pytest.approx(1.0)
    assert sum(share for _, share in known.parts) == pytest.approx(1.0)


def test_shares_are_those_that_were_measured() -> None:
    """Four in five take a tenth of a second, one in twenty takes two."""
    known = spread()
    assert known.at(0.5) / known.at(0.99) == pytest.approx(0.05, rel=0.1)
    assert known.at(0.0) <= known.at(0.79) < known.at(0.81) < known.at(0.94) < known.at(0.96) <= known.at(1.0)
    assert known.variation == pytest.approx(4.1, rel=0.1)


def test_of_few_nobody_knows_how_unlike_they_are() -> None:
    """A tail that rests on three requests would be made up."""
    assert Spread.of({0: LEAST - 1.0}) is None
