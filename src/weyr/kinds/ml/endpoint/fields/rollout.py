"""How does a new version of an endpoint take over?"""

import math
import re
from typing import Annotated, Literal

from weyr.core.schema import Duration, Share, SpecPart, checked, field
from weyr.core.units import seconds_of, share_of

STEPS = (0.05, 0.25, 0.5)
EVERY_S = 600.0
MIN_REQUESTS = 100
KEEP_OLD_S = 300.0
ERRORS = 0.05

_TIMES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*x")


def times_of(text: str) -> float | None:
    """`1.5x` → 1.5; None for what is no such factor."""
    match = _TIMES.fullmatch(text.strip())
    return float(match[1]) if match else None


def _limit(text: str) -> str:
    factor = times_of(text)
    if factor is None and seconds_of(text) <= 0:
        raise ValueError("write a time above 0, such as 300ms, or how many times the old version's, such as 1.5x")
    if factor is not None and factor < 1:
        raise ValueError(f"{text!r} is less than the old version's; write 1x or more")
    return text


def _quality(text: str) -> str:
    factor = times_of(text)
    if factor is None:
        try:
            figure = float(text)
        except ValueError:
            figure = math.nan
        if not math.isfinite(figure):
            raise ValueError(f"{text!r} is neither a figure such as 0.9 nor a share of the old version's such as 0.98x")
    return text


def _surge(text: str) -> str:
    if not text.strip().isdecimal():
        share_of(text)
    return text


class AbortIf(SpecPart):
    """What takes a new version back; never a handful of requests, and nothing that the old one does as well."""

    errors: Share | None = field(None, description="More requests than this fail (5xx).", examples=["2%"])
    latency_p50: Annotated[str, checked(_limit)] | None = field(
        None, description="Half of its answers take longer: a time, or times the old version's.", examples=["1.2x"]
    )
    latency_p99: Annotated[str, checked(_limit)] | None = field(
        None, description="One in a hundred of its answers takes longer than this.", examples=["1.5x", "300ms"]
    )
    quality: Annotated[str, checked(_quality)] | None = field(
        None, description="The mean of the outcomes that callers report is lower: a figure, or a share of the old "
        "version's.", examples=["0.9", "0.98x"],
    )  # fmt: skip


class Rollout(SpecPart):
    """How a new version takes over."""

    short = "strategy"

    strategy: Literal["rolling", "canary", "blue-green"] = field(
        "rolling",
        description="rolling: replica by replica. canary: by steps, and back by itself. blue-green: at once, when all "
        "its replicas are warm.",
    )  # fmt: skip
    steps: tuple[Share, ...] | None = field(
        None, description="A canary's shares of the requests, before all; by default 5%, 25% and 50%.",
        examples=[["5%", "25%", "50%"]], min_length=1, max_length=20,
    )  # fmt: skip
    every: Duration | None = field(
        None, description="How long a step takes at least; by default 10m.", ge=0, le=30 * 86400, examples=["10m"]
    )
    min_requests: int | None = field(
        None, description="Requests that the new version has to answer in each step; by default 100.",
        ge=1, le=1_000_000, strict=True,
    )  # fmt: skip
    abort_if: AbortIf | None = field(None, description="What takes it back; by default errors above 5%.")
    keep_old: Duration | None = field(
        None, description="How long the old replicas stay when it has all requests; by default 5m.", ge=0, le=7 * 86400
    )
    surge: Annotated[str, checked(_surge)] | None = field(
        None, description="Replicas beside those wanted, a number or a share of them; by default 25% for rolling, as "
        "many as it takes for the others.", examples=["1", "50%"],
    )  # fmt: skip
    unavailable: int = field(
        0, description="Replicas that may be missing while it goes on.", ge=0, le=1000, strict=True
    )

    @property
    def is_gradual(self) -> bool:
        """Whether old and new stand side by side, each with a share of its own."""
        return self.strategy != "rolling"

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares of the requests that a new version gets, one after the other; the last is all."""
        return (*(self.steps or STEPS), 1.0) if self.strategy == "canary" else (1.0,)

    @property
    def limits(self) -> AbortIf:
        return self.abort_if or AbortIf(errors=ERRORS)

    def hold_s(self, step: int) -> float:
        """How long step number `step` takes at least."""
        if step >= len(self.shares) - 1:
            return KEEP_OLD_S if self.keep_old is None else self.keep_old
        return EVERY_S if self.every is None else self.every

    @property
    def requests_min(self) -> int:
        return self.min_requests or MIN_REQUESTS

    def surge_of(self, desired: int) -> int:
        """How many replicas there may be beside those that are wanted."""
        if self.surge is None:
            return desired if self.is_gradual else max(1, math.ceil(desired / 4))
        text = self.surge.strip()
        return int(text) if text.isdecimal() else math.ceil(share_of(text) * desired)
