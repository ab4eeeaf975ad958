"""What does a run look like? A curve of a metric drawn with braille dots, or with letters where those fail."""

import math
from collections.abc import Sequence

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille cell (U+2800 and up), by row from the top and column: each cell is 2 dots wide, 4 high."""
_BLOCKS = "▁▂▃▄▅▆▇█"


def curve(points: Sequence[tuple[float, float]], columns: int = 50, rows: int = 8, is_plain: bool = False) -> str:
    """Points (step, value) as a chart with its scale: highest and lowest value left, first and last step below.

    Values that are no numbers are left out; where nothing is left, the answer is empty.
    """
    finite = sorted((float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y))
    if not finite:
        return ""
    low, high = min(y for _, y in finite), max(y for _, y in finite)
    first, last = finite[0][0], finite[-1][0]
    cells = _stars(finite, columns, rows) if is_plain else _braille(finite, columns, rows)
    labels = [number_text(high), *[""] * (rows - 2), number_text(low)] if rows > 1 else [number_text(high)]
    margin = max(len(label) for label in labels)
    axis, corner = ("|", "+") if is_plain else ("┤", "└")
    lines = [f"{label.rjust(margin)} {axis}{row}".rstrip() for label, row in zip(labels, cells, strict=True)]
    steps = f"{number_text(first)}{number_text(last).rjust(columns - len(number_text(first)))}"
    rule = ("-" if is_plain else "─") * columns
    return "\n".join([*lines, f"{' ' * margin} {corner}{rule}", f"{' ' * margin}  {steps}"])


def spark(values: Sequence[float], columns: int = 16) -> str:
    """Values as one row of blocks, newest right; empty where there are fewer than two."""
    finite = [v for v in values if math.isfinite(v)]
    if len(finite) < 2:
        return ""
    picked = (
        [finite[i * (len(finite) - 1) // (columns - 1)] for i in range(columns)] if len(finite) > columns else finite
    )
    low, high = min(picked), max(picked)
    return "".join(_BLOCKS[_share(v, low, high, len(_BLOCKS))] for v in picked)


def number_text(value: float) -> str:
    """A number with four digits that count, without an exponent where that is short."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def _braille(points: Sequence[tuple[float, float]], columns: int, rows: int) -> list[str]:
    grid = [[0] * columns for _ in range(rows)]
    for x, y in _filled(points, columns * 2, rows * 4):
        grid[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(0x2800 + bits) for bits in row) for row in grid]


def _stars(points: Sequence[tuple[float, float]], columns: int, rows: int) -> list[str]:
    grid = [[" "] * columns for _ in range(rows)]
    for x, y in _filled(points, columns, rows):
        grid[y][x] = "*"
    return ["".join(row) for row in grid]


def _filled(points: Sequence[tuple[float, float]], wide: int, high: int) -> list[tuple[int, int]]:
    """Dots from the top left that join the points, each column at least once between first and last."""
    first, last = points[0][0], points[-1][0]
    low, top = min(y for _, y in points), max(y for _, y in points)
    placed = [(_share(x, first, last, wide), high - 1 - _share(y, low, top, high)) for x, y in points]
    dots: list[tuple[int, int]] = [placed[0]]
    for x, y in placed[1:]:
        x0, y0 = dots[-1]
        steps = max(abs(x - x0), abs(y - y0), 1)
        dots += [(x0 + round((x - x0) * i / steps), y0 + round((y - y0) * i / steps)) for i in range(1, steps + 1)]
    return dots


def _share(value: float, low: float, high: float, parts: int) -> int:
    """Which of `parts` equal parts between low and high a value falls into; the middle where they are one."""
    return parts // 2 if high <= low else min(parts - 1, int((value - low) / (high - low) * parts))
