"""How are bars drawn in a terminal? A row for each place, its parts side by side, what crosses them as a stroke.

Without colours each series has a letter of its own; with them all are blocks, and the key says which is which.
"""

from collections.abc import Sequence
from itertools import cycle, islice

from weyr.charts.chart import Bars

BLOCKS = "█▓▒░▚▞▤▥"
LETTERS = "#=+-o*x."
COLOURS = (34, 33, 32, 35, 36, 31, 94, 90)
STROKES = "│┃┆"
PLAIN_STROKES = "|!:"


def bars(chart: Bars, columns: int = 80, has_colour: bool = False, is_plain: bool = False) -> str:
    """The chart with its key, no wider than `columns`. `is_plain`: letters of ASCII, no blocks.

    A bar is as long as its total, rounded once; a part that rounds to nothing is not seen, a row's figure tells it.
    """
    names = max((len(place) for place in chart.places), default=0)
    figures = [number_text(chart.total(place)) for place in range(len(chart.places))]
    figure = max((len(text) for text in figures), default=0)
    room = max(10, columns - names - figure - 4)
    top = max([*(chart.total(p) for p in range(len(chart.places))), *_levels(chart), 0.0])
    glyphs = list(islice(cycle(LETTERS if is_plain else "█" if has_colour else BLOCKS), len(chart.stacked)))
    lines = [f"{chart.title} ({chart.unit})"]
    for place, name in enumerate(chart.places):
        row = _row(chart, place, room, top, glyphs, has_colour, is_plain)
        lines.append(f"{name.rjust(names)} {row} {figures[place].rjust(figure)}".rstrip())
    return "\n".join([*lines, *_key(chart, glyphs, columns, has_colour, is_plain)])


def number_text(value: float) -> str:
    """A figure as short as it may be and still tell small ones apart."""
    if value and abs(value) < 0.01:
        return f"{value:.2g}" if abs(value) >= 0.0001 else f"{value:.1e}"
    return f"{value:,.2f}"


def _row(
    chart: Bars, place: int, room: int, top: float, glyphs: Sequence[str], has_colour: bool, is_plain: bool
) -> str:
    cells = [" "] * room
    reached, drawn = 0.0, 0
    for number, series in enumerate(chart.stacked):
        reached += max(0.0, series.values[place] or 0.0)
        until = round(reached / top * room) if top else 0
        cells[drawn:until] = [_painted(glyphs[number], number, has_colour)] * (until - drawn)
        drawn = max(drawn, until)
    strokes = cycle(PLAIN_STROKES if is_plain else STROKES)
    for series, stroke in zip(chart.lines, strokes, strict=False):
        value = series.values[place]
        if value is not None and top:
            cells[min(room - 1, round(value / top * room))] = stroke
    return "".join(cells)


def _key(chart: Bars, glyphs: Sequence[str], columns: int, has_colour: bool, is_plain: bool) -> list[str]:
    strokes = cycle(PLAIN_STROKES if is_plain else STROKES)
    entries = [(_painted(glyphs[n], n, has_colour), s.name) for n, s in enumerate(chart.stacked)]
    entries += [(stroke, series.name) for series, stroke in zip(chart.lines, strokes, strict=False)]
    lines: list[str] = []
    length = columns
    for glyph, name in entries:
        if length + len(name) + 4 > columns:
            lines.append("")
            length = 0
        lines[-1] += f"  {glyph} {name}"
        length += len(name) + 4
    return lines


def _painted(glyph: str, number: int, has_colour: bool) -> str:
    return f"\x1b[{COLOURS[number % len(COLOURS)]}m{glyph}\x1b[0m" if has_colour else glyph


def _levels(chart: Bars) -> list[float]:
    return [value for series in chart.lines for value in series.values if value is not None]
