"""Does a version pass? A rule is a comparison and a number, such as `>= 0.95`. Pure."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_RULE = re.compile(r"\s*(>=|<=|==|>|<)\s*(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*")


@dataclass(frozen=True, slots=True)
class GateRule:
    """`compares` a metric with `limit`."""

    compares: str
    limit: float

    def holds_for(self, value: float) -> bool:
        """Never for what is no number or without bound: a run that diverged passes no gate."""
        return math.isfinite(value) and _COMPARISONS[self.compares](value, self.limit)


def parse_rule(text: str) -> GateRule:
    """Raises: ValueError where the text is not a comparison and a number."""
    match = _RULE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a rule such as >= 0.95; use >=, <=, >, < or == and a number")
    limit = float(match[2])
    if not math.isfinite(limit):
        raise ValueError(f"{text!r} compares with a number that is too large")
    return GateRule(match[1], limit)


def failures_of(rules: Mapping[str, str], metrics: Mapping[str, float]) -> tuple[str, ...]:
    """What a version fails, a sentence each; empty when it passes. A metric it lacks fails; so does NaN."""
    return tuple(
        f"{name} is {metrics[name]:.6g}, not {text.strip()}" if name in metrics else f"it has no metric {name}"
        for name, text in rules.items()
        if name not in metrics or not parse_rule(text).holds_for(metrics[name])
    )
