"""How do people write amounts, and which integers do they become?

Sizes become bytes, durations seconds, money integer micro-units of its currency, shares
a fraction of one. Parsing refuses what it cannot read exactly; nothing is rounded silently.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

MICROS = 1_000_000
HOUR_S = 3_600
DAY_S = 24 * HOUR_S
MONTH_S = 730 * HOUR_S
"""The cloud price lists' month: 8,760 hours a year over twelve."""

_SIZES = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
_DURATIONS = {
    "ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "min": Decimal(60),
    "h": Decimal(HOUR_S), "d": Decimal(DAY_S), "w": Decimal(7 * DAY_S),
}  # fmt: skip
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")
_MONEY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Z]{3})\s*")
SIZE_MAX = 2**60
DURATION_MAX_S = 100 * 365 * DAY_S
MONEY_MAX_MICROS = 10**12 * MICROS
TEXT_MAX = 100
"""Characters of an amount. The patterns above take quadratic time where they fail late: 60,000
blanks cost 18 s, and the text comes from a file that anybody may have written."""


def bytes_of(text: str | int) -> int:
    """`1GiB` → 1073741824. Decimal (GB) and binary (GiB) units; a bare number is bytes.

    Raises: ValueError.
    """
    number, unit = _split(str(text), "a size such as 512MiB or 10GB")
    if unit not in _SIZES:
        raise ValueError(f"{unit!r} is not a unit of size; write KiB, MiB, GiB, TiB or KB, MB, GB, TB")
    size = number * _SIZES[unit]
    if size != int(size):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if size > SIZE_MAX:
        raise ValueError(f"{text!r} is more than an exbibyte")
    return int(size)


def seconds_of(text: str | float) -> float:
    """`1h30m` → 5400.0. Units ms, s, m, h, d, w; a bare number is seconds. Raises: ValueError."""
    _refuse_long(str(text), "a duration such as 30s, 5m or 1h30m")
    parts = re.findall(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|min|[smhdw])?", str(text).strip())
    rebuilt = "".join(number + unit for number, unit in parts)
    if not parts or rebuilt != re.sub(r"\s", "", str(text)) or (len(parts) > 1 and not all(u for _, u in parts)):
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    total = sum((Decimal(number) * _DURATIONS[unit or "s"] for number, unit in parts), Decimal(0))
    if total > DURATION_MAX_S:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return float(total)


def share_of(text: str | float) -> float:
    """`80%` → 0.8, and 0.8 stays 0.8. Between nothing and all. Raises: ValueError."""
    if isinstance(text, float) and 0 <= text <= 1:
        return text
    number, unit = _split(str(text), "a percentage such as 80%")
    if unit != "%" or number > 100:
        raise ValueError(f"{text!r} is not a percentage between 0% and 100%")
    return float(number / 100)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in integer micro-units of one currency: `Money(200_000_000, "USD")` is $200."""

    micros: int
    currency: str = "USD"

    @classmethod
    def parse(cls, text: str) -> "Money":
        """`200 USD` → Money(200_000_000, "USD"). Raises: ValueError."""
        _refuse_long(text, "an amount of money such as 200 USD")
        match = _MONEY.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not an amount of money such as 200 USD")
        micros = Decimal(match[1]) * MICROS
        if micros != int(micros):
            raise ValueError(f"{text!r} is finer than a millionth of its currency")
        if micros > MONEY_MAX_MICROS:
            raise ValueError(f"{text!r} is more than a trillion")
        return cls(int(micros), match[2])

    def __str__(self) -> str:
        return f"{money_text(self.micros)} {self.currency}"


def money_text(micros: int) -> str:
    """An amount as people read it: two decimals, or as many as it takes to show a small one."""
    value = Decimal(micros) / MICROS
    sign, size = ("-", -value) if value < 0 else ("", value)
    if size == 0 or size >= Decimal("0.1"):
        return f"{sign}{size:,.2f}"
    return f"{sign}{size:.6f}".rstrip("0")


def size_text(size_bytes: int) -> str:
    """`1073741824` → `1 GiB`, with at most one decimal."""
    value, units = float(size_bytes), ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.1f}".removesuffix(".0") + f" {units[0]}"


def duration_text(seconds: float) -> str:
    """`5400` → `1h30m`; below ten seconds with one decimal, below one in milliseconds."""
    if 0 < seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    rest, text = round(seconds), ""
    for unit, size in (("d", DAY_S), ("h", HOUR_S), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text


def _refuse_long(text: str, wanted: str) -> None:
    if len(text) > TEXT_MAX:
        raise ValueError(f"a text of {len(text):,} characters is not {wanted}")


def _split(text: str, wanted: str) -> tuple[Decimal, str]:
    _refuse_long(text, wanted)
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not {wanted}")
    try:
        return Decimal(match[1]), match[2]
    except InvalidOperation as e:
        raise ValueError(f"{text!r} is not {wanted}") from e
