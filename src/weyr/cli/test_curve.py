"""What the terminal draws."""

import pytest

from weyr.cli.curve import curve, number_text, spark


def test_a_falling_loss_falls_from_the_top_left() -> None:
    """High values are up, early steps are left."""
    rows = curve([(float(i), 10.0 - i) for i in range(11)], columns=10, rows=4, is_plain=True).splitlines()

    assert rows[0].startswith("10 |*")
    assert rows[3].startswith(" 0 |")
    assert rows[3].endswith("*")
    assert rows[-1].split() == ["0", "10"]


def test_one_value_and_a_flat_line_are_drawn_too() -> None:
    """The first epoch has one value, and some metrics never move."""
    assert "*" in curve([(1.0, 0.5)], is_plain=True)
    assert "*" in curve([(1.0, 0.5), (2.0, 0.5)], is_plain=True)


def test_what_is_no_number_is_left_out() -> None:
    """A loss that became NaN is still a run that people want to see."""
    assert curve([(0.0, float("nan"))]) == ""
    assert curve([(0.0, float("nan")), (1.0, 2.0)], is_plain=True).count("*") == 1


def test_braille_keeps_its_width() -> None:
    """Every row is as wide as asked, so that the chart never wraps."""
    rows = curve([(float(i), float(i % 7)) for i in range(100)], columns=30, rows=5).splitlines()[:5]

    assert {len(row.split("┤")[1]) for row in rows} == {30}


def test_a_spark_is_as_long_as_it_may_be() -> None:
    """Fits into a table's cell."""
    assert len(spark([float(i) for i in range(100)], columns=16)) == 16
    assert spark([1.0]) == ""


@pytest.mark.parametrize(("value", "text"), [(0.97222, "0.9722"), (30.0, "30"), (1e-7, "1e-07"), (1.5e12, "1.5e+12")])
def test_numbers_are_short(value: float, text: str) -> None:
    """Four digits that count are enough to compare."""
    assert number_text(value) == text
