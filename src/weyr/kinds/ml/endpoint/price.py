"""What will an endpoint use in a month, if it runs as written? Pure."""

import math
from collections.abc import Iterator

from weyr.core.kind import Estimate
from weyr.core.task_usage import planned_quantities
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def estimate(spec: EndpointSpec) -> tuple[Estimate, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it.

    A variant has at least one replica, and so has a shadow, whose lines stand apart. What a new version needs beside
    the old one while it takes over is not in it: that depends on how often there is one.
    """
    hours = MONTH_S / HOUR_S if spec.scale.min else MONTH_S / HOUR_S / 10
    lines = planned_quantities(spec)
    return tuple(
        Estimate(sku, quantity * count, hours, note) for count, note in _counts(spec) for sku, quantity in lines
    )


def _counts(spec: EndpointSpec) -> Iterator[tuple[int, str]]:
    rest = "always on" if spec.scale.min else "awake a tenth of the time"
    kept = max(1, spec.scale.min)
    weights = [variant.weight for variant in spec.variants.values()]
    count = sum(max(1, math.ceil(kept * weight / (sum(weights) or 1))) for weight in weights) if weights else kept
    yield count, f"{count} always on" if spec.scale.min else rest
    if spec.shadow:
        copies = max(1, math.ceil(kept * spec.shadow.sample))
        yield copies, f"{copies} of the shadow, {rest}"
