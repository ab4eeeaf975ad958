"""How do charts become a PNG or an SVG? Matplotlib draws them; the same charts give the same bytes.

It is an extra, loaded where an image is asked for. Words in an SVG stay words: they can be searched and copied.
"""

from collections.abc import Sequence
from importlib import import_module
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any, assert_never

from weyr.charts.chart import Bars, Chart, Curve, Plot
from weyr.core.diagnostic import Diagnostic, UserError

COLOURS = ("#2f6feb", "#e8833a", "#3a9d6e", "#b657c9", "#c9a227", "#4fb3bf", "#d1495b", "#7c8798")
LINE_COLOURS = ("#c1121f", "#444c56", "#8250df")
FORMATS = ("png", "svg")
WIDTH_IN, HEIGHT_IN, DPI = 9.0, 3.6, 120
NEAR_X, NEAR_Y = 0.05, 0.04
"""What of the drawing's width and height a short label takes."""
PLACES_NAMED = 12
"""So many names stand side by side below the bars; of more, every second, third, ... is written."""


def save(charts: Sequence[Chart], path: Path) -> None:
    """Writes the charts, one below the other, in the format that the file's name ends with.

    Raises: UserError where that is none of FORMATS, where the extra is missing, and where nothing can be written there.
    """
    picture = image(charts, format_of(path))
    try:
        path.write_bytes(picture)
    except OSError as e:
        raise UserError(Diagnostic("The file cannot be written", f"{path}: {e.strerror}.")) from e


def format_of(path: Path) -> str:
    """The format that a file's name asks for. Raises: UserError."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        detail = f"{path.name} ends in none of the formats that charts can be drawn in: .png, .svg."
        raise UserError(Diagnostic("Unknown format of an image", detail, suggestion=str(path.with_suffix(".png"))))
    return ending


def image(charts: Sequence[Chart], format: str) -> bytes:
    """The charts, one below the other, as the bytes of a file. Raises: UserError where the extra is missing."""
    matplotlib = _matplotlib()
    settings = {"svg.hashsalt": "weyr", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                "axes.spines.right": False, "axes.axisbelow": True, "font.family": "DejaVu Sans"}  # fmt: skip
    with matplotlib.rc_context(settings):
        figure = import_module("matplotlib.figure").Figure((WIDTH_IN, HEIGHT_IN * len(charts)), layout="constrained")
        for axes, chart in zip(figure.subplots(len(charts), squeeze=False)[:, 0], charts, strict=True):
            _draw(axes, chart)
        target = BytesIO()
        # Neither format states when it was made or by which version: a drawing is told from another by what it shows.
        figure.savefig(target, format=format, dpi=DPI, metadata=_NO_STAMP[format])
    return target.getvalue()


_NO_STAMP: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def _matplotlib() -> Any:
    try:
        return import_module("matplotlib")
    except ImportError as e:
        detail = "PNG and SVG are drawn by matplotlib, which is not installed."
        raise UserError(Diagnostic("An extra is missing", detail, suggestion="pip install 'weyr[reports]'")) from e


def _draw(axes: Any, chart: Chart) -> None:
    axes.set_title(chart.title, loc="left", fontweight="bold", parse_math=False)
    axes.grid(axis="y", color="#d0d7de", linewidth=0.6)
    match chart:
        case Bars():
            _draw_bars(axes, chart)
        case Plot():
            _draw_plot(axes, chart)
        case _:
            assert_never(chart)
    handles, names = axes.get_legend_handles_labels()
    if names:
        shown = axes.legend(handles, names, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        for text in shown.get_texts():
            text.set_parse_math(False)


def _draw_bars(axes: Any, chart: Bars) -> None:
    at = range(len(chart.places))
    below = [0.0] * len(chart.places)
    for series, colour in zip(chart.stacked, cycle(COLOURS)):
        values = [value or 0.0 for value in series.values]
        axes.bar(at, values, bottom=below, color=colour, width=0.8, label=_told(series.name))
        below = [a + b for a, b in zip(below, values, strict=True)]
    for series, colour in zip(chart.lines, cycle(LINE_COLOURS)):
        values = [float("nan") if value is None else value for value in series.values]
        axes.plot(at, values, color=colour, linestyle="--", linewidth=1.4, label=_told(series.name))
    step = -(-len(chart.places) // PLACES_NAMED) or 1
    axes.set_xticks(at[::step], chart.places[::step], parse_math=False)
    axes.set_ylabel(chart.unit, parse_math=False)
    axes.set_ylim(bottom=min(0.0, *below, 0.0))


def _draw_plot(axes: Any, chart: Plot) -> None:
    for curve, colour in zip(chart.curves, cycle(COLOURS)):
        _draw_curve(axes, curve, colour)
    for x, y, label in labels_of(chart.curves):
        axes.annotate(label, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8, parse_math=False)
    axes.set_xlabel(chart.x_label, parse_math=False)
    axes.set_ylabel(chart.y_label, parse_math=False)


def _draw_curve(axes: Any, curve: Curve, colour: str) -> None:
    points = curve.points
    x, y = [p.x for p in points], [p.y for p in points]
    x_around = _around([(p.x, p.x_range) for p in points])
    y_around = _around([(p.y, p.y_range) for p in points])
    axes.errorbar(x, y, xerr=x_around, yerr=y_around, color=colour, marker="o", markersize=4, linewidth=1.4,
                  elinewidth=0.8, capsize=2, linestyle="-" if curve.is_joined else "none",
                  label=_told(curve.name))  # fmt: skip


def labels_of(curves: Sequence[Curve]) -> list[tuple[float, float, str]]:
    """Where which label stands: points that lie upon each other share one, which would be unreadable otherwise."""
    points = [point for curve in curves for point in curve.points]
    wide = max((p.x for p in points), default=0.0) - min((p.x for p in points), default=0.0)
    high = max((p.y for p in points), default=0.0) - min((p.y for p in points), default=0.0)
    placed: list[tuple[float, float, str]] = []
    for point in sorted((p for p in points if p.label), key=lambda p: (p.x, p.y)):
        near = (
            n for n, (x, y, _) in enumerate(placed)
            if abs(point.x - x) <= NEAR_X * wide and abs(point.y - y) <= NEAR_Y * high
        )  # fmt: skip
        if (at := next(near, None)) is None:
            placed.append((point.x, point.y, point.label))
        else:
            x, y, label = placed[at]
            placed[at] = (x, y, f"{label}\n{point.label}")
    return placed


def _around(figures: Sequence[tuple[float, tuple[float, float] | None]]) -> list[list[float]]:
    """How far the ranges reach below and above the figures themselves."""
    below = [max(0.0, value - around[0]) if around else 0.0 for value, around in figures]
    above = [max(0.0, around[1] - value) if around else 0.0 for value, around in figures]
    return [below, above]


def _told(name: str) -> str:
    """Matplotlib leaves out of its legend whatever begins with an underscore."""
    return f" {name}" if name.startswith("_") else name
