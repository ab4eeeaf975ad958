"""Charts show what they are given, in a terminal, as a PNG and as an SVG."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from weyr.charts.chart import Bars, Curve, Plot, Point, Series
from weyr.charts.image import image, labels_of, save
from weyr.charts.text import bars
from weyr.core.diagnostic import UserError

DAYS = Bars(
    "Spent by day",
    "USD",
    ("11-21", "11-22"),
    (Series("job/train", (3.0, 1.0)), Series("$odd _name_", (1.0, None))),
    (Series("limit", (2.0, 2.0)),),
)
FRONTIER = Plot(
    "Frontier",
    "USD per week",
    "late requests, %",
    (Curve("scale.max", (Point(10, 5, (9, 12), (4, 6), "2"), Point(20, 1, None, (0, 2), "8"))),),
)


def test_a_bar_is_as_long_as_its_figure() -> None:
    """Who reads it without colour and without Unicode sees the same proportions, and where the limit is."""
    drawn = bars(DAYS, columns=80, is_plain=True).splitlines()
    first, second = drawn[1], drawn[2]
    assert (first.count("#") + first.count("|"), first.count("="), second.count("=")) == (50, 17, 0)
    assert first.endswith("4.00")
    assert second.index("|") > second.rindex("#"), "the second day is below the limit"
    assert all(line.isascii() for line in drawn)


@pytest.mark.parametrize("columns", [20, 40, 133])
def test_a_chart_fits_its_terminal(columns: int) -> None:
    """A row that wraps is no bar any more."""
    assert max(len(line) for line in bars(DAYS, columns).splitlines()[1:]) <= max(columns, 10 + 5 + 4 + 4)


def test_nothing_spent_is_a_chart_all_the_same() -> None:
    """A new stack has no bill; asking for its chart is no mistake."""
    assert "0.00" in bars(Bars("Spent", "USD", ("11-22",), (Series("a", (0.0,)),)))
    assert bars(Bars("Spent", "USD", (), ())) == "Spent (USD)"


def test_the_same_charts_give_the_same_bytes() -> None:
    """An image in a repository changes only where its figures do."""
    png, svg = image([FRONTIER], "png"), image([FRONTIER], "svg")
    assert (png, svg) == (image([FRONTIER], "png"), image([FRONTIER], "svg"))
    assert png.startswith(b"\x89PNG\r\n")


def test_the_words_of_an_svg_are_words() -> None:
    """They are found by a search, and no name is taken for a formula or left out."""
    root = ElementTree.fromstring(image([DAYS, FRONTIER], "svg"))
    words = {"".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Spent by day", "job/train", "$odd _name_", "limit", "11-22", "USD per week", "8"} <= words


def test_points_upon_each_other_share_a_label() -> None:
    """Two fields that are varied at once often come to the same: their names were drawn over each other."""
    curves = (Curve("best", (Point(1, 0, label="1, 64"),)), Curve("beaten", (Point(1.01, 0, label="2, 64"),
              Point(2, 0, label="2, 16"), Point(1, 100, label="1, 16"))))  # fmt: skip
    assert labels_of(curves) == [(1, 0, "1, 64\n2, 64"), (1, 100, "1, 16"), (2, 0, "2, 16")]
    assert labels_of(()) == []


def test_an_image_has_a_format_that_its_name_tells(tmp_path: Path) -> None:
    """A PNG under the name .jpeg would be opened by nothing."""
    with pytest.raises(UserError) as caught:
        save([DAYS], tmp_path / "bill.jpeg")
    assert caught.value.diagnostics[0].suggestion.endswith("bill.png")
    with pytest.raises(UserError, match="cannot be written"):
        save([DAYS], tmp_path / "missing" / "bill.png")
