"""What is to be drawn? Bars that stand on one another and curves of points, as values that know no colour and no size.

A figure is a float here: it is drawn, never counted with. Money is whole micro-units wherever it is added up.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """`values`: one for each place of the chart. None: nothing is known there, and nothing is drawn."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar at each place, `stacked` from the first series up, and `lines` across them, such as a budget's limit."""

    title: str
    unit: str
    places: tuple[str, ...]
    stacked: tuple[Series, ...]
    lines: tuple[Series, ...] = ()

    def __post_init__(self) -> None:
        odd = [s.name for s in (*self.stacked, *self.lines) if len(s.values) != len(self.places)]
        assert not odd, f"these have not one value for each of {len(self.places)} places: {odd}"

    def total(self, place: int) -> float:
        """How high the bar at a place is."""
        return sum(series.values[place] or 0.0 for series in self.stacked)


@dataclass(frozen=True, slots=True)
class Point:
    """One point, with the range that each of its two figures lies in where there is one."""

    x: float
    y: float
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in the order in which they are joined, or not joined at all."""

    name: str
    points: tuple[Point, ...]
    is_joined: bool = True


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over two axes, such as what a week costs against how many requests were late."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]


Chart = Bars | Plot
