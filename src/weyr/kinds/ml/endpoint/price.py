"""What will an endpoint use in a month, if it runs as written? Pure."""

import math
from collections.abc import Iterator

from weyr.core.kind import Estimate
from weyr.core.task_usage import kept_counts, planned_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def estimate(spec: EndpointSpec) -> tuple[Estimate, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it.

    A variant has at least one replica, and so has a shadow, whose lines stand apart. What a new version needs beside
    the old one while it takes over is not in it: that depends on how often there is one.
    """
    hours = MONTH_S / HOUR_S if spec.scale.min else MONTH_S / HOUR_S / 10
    return tuple(
        Estimate(sku, quantity * count, hours, note)
        for count, is_spot, note in _counts(spec)
        for sku, quantity in planned_quantities(spec, is_spot)
    )


def _counts(spec: EndpointSpec) -> Iterator[tuple[int, bool, str]]:
    rest = "always on" if spec.scale.min else "awake a tenth of the time"
    kept = max(1, spec.scale.min)
    weights = [variant.weight for variant in spec.variants.values()]
    sides = [max(1, math.ceil(kept * weight / (sum(weights) or 1))) for weight in weights] or [kept]
    markets = [market for side in sides for market in kept_counts(side, spec.scale.steady)]
    for of_spot in (False, True):
        count = sum(each for each, is_spot in markets if is_spot is of_spot)
        if count:
            kept_text = f"{count} on spot, always on" if of_spot else f"{count} always on"
            yield count, of_spot, kept_text if spec.scale.min else f"on spot, {rest}" if of_spot else rest
    if spec.shadow:
        copies = max(1, math.ceil(kept * spec.shadow.sample))
        yield copies, spec.scale.spot, f"{copies} of the shadow, {rest}"
