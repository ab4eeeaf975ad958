"""Which functions are called by what happens to buckets? Pure.

Of what is written and deleted only the bucket is known: it is taken to have the prefix and suffix that a function asks
for. Of a function that arrivals name itself they say all.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weyr.sim.rehearsal.arrivals import Arrivals, Burst
from weyr.stack.stack import Stack

TAKES_S = 1.0
"""Where nobody knows how long a function takes."""
TOLD_WITHIN_S = 0.5
"""The S3 plane looks so often whether there is something to tell (`weyr.gateway.s3.teller`)."""
VERBS = {"created": "write", "removed": "delete"}


def with_triggered(stack: Stack, arrivals: Arrivals, takes_of: Mapping[str, float]) -> Arrivals:
    """The arrivals with the calls that follow from them; `takes_of` is what was measured, by `kind/name`."""
    called: dict[str, tuple[Burst, ...]] = {}
    for ref, each in stack.objects.items():
        if ref.kind == "function" and str(ref) not in arrivals.requests:
            spec: Any = each.spec
            takes_s = takes_of.get(str(ref)) or float(getattr(spec, "expected_duration", None) or TAKES_S)
            bursts = [
                Burst(move.at_s, move.count, move.over_s, takes_s, told_within_s=TOLD_WITHIN_S)
                for trigger in spec.objects
                for event in trigger.events
                for move in arrivals.moves.get(str(trigger.bucket.ref(stack.name)), {}).get(VERBS[event], ())
            ]
            if bursts:
                called[str(ref)] = tuple(sorted(bursts, key=lambda burst: burst.at_s))
    return replace(arrivals, requests={**arrivals.requests, **called}) if called else arrivals
