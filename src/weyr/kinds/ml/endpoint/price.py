"""What will an endpoint use in a month, if it runs as written? Pure."""

import math
from collections.abc import Iterator

from weyr.core.assumptions import Assumed, Assumption, Past, kept_at_rest, whole_parts
from weyr.core.kind import Estimate
from weyr.core.route_usage import egress_assumed, egress_estimate
from weyr.core.task_usage import kept_counts, planned_quantities
from weyr.kinds.ml.endpoint.spec import EndpointSpec


def assumes(spec: EndpointSpec, past: Past) -> tuple[Assumption, ...]:
    """The replicas kept at rest, all month; an endpoint that sleeps is assumed awake a tenth of it. And what its
    answers take elsewhere."""
    return (*kept_at_rest(spec.scale.min, spec.scale.max, past), egress_assumed(past))


def estimate(spec: EndpointSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    """A variant has at least one replica, and so has a shadow, whose lines stand apart. What a new version needs beside
    the old one while it takes over is not in it: that depends on how often there is one.
    """
    replicas = (
        Estimate(sku, quantity * count, assumed["hours"] * part, note)
        for kept, part in whole_parts(assumed["replicas"])
        for count, is_spot, note in _counts(spec, kept)
        for sku, quantity in planned_quantities(spec, is_spot)
    )
    return (*replicas, *egress_estimate(assumed))


def on_markets(spec: EndpointSpec) -> dict[str, EndpointSpec]:
    """The same one with and without spot."""
    scales = {word: spec.scale.model_copy(update={"spot": word == "spot"}) for word in ("spot", "on demand")}
    return {word: spec.model_copy(update={"scale": scale}) for word, scale in scales.items()}


def _counts(spec: EndpointSpec, kept: int) -> Iterator[tuple[int, bool, str]]:
    weights = [variant.weight for variant in spec.variants.values()]
    sides = [max(1, math.ceil(kept * weight / (sum(weights) or 1))) for weight in weights] or [kept]
    markets = [market for side in sides for market in kept_counts(side, spec.scale.steady)]
    for of_spot in (False, True):
        count = sum(each for each, is_spot in markets if is_spot is of_spot)
        if count:
            yield count, of_spot, f"{count} on spot" if of_spot else ""
    if spec.shadow:
        copies = max(1, math.ceil(kept * spec.shadow.sample))
        yield copies, spec.scale.spot, f"{copies} of the shadow"
