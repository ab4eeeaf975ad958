"""What becomes of a request that no replica can take now? It waits its turn, or is told at once that it would wait in
vain."""

import time
from typing import TYPE_CHECKING

from weyr.gateway.inference.aside import can_gather, gather
from weyr.gateway.inference.fallback import falls_back
from weyr.gateway.inference.refusals import retry_after

if TYPE_CHECKING:
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange


def hold(exchange: "Exchange", endpoint: "Endpoint") -> None:
    """Puts it into the line, where it can be out of it before its time is up."""
    route, loop = endpoint.route, exchange.door.loop
    now, end = time.monotonic(), exchange.began_at + min(route.body.hold_s, endpoint.patience_s)
    exchange.is_cold = exchange.is_cold or not endpoint.replicas
    if end <= now:
        give_up(exchange)
        return
    waiting = endpoint.waiting
    if exchange.hold_timer is None:
        wait_s = waiting.wait_s(exchange.caller, exchange.priority, endpoint.places(), now)
        again = retry_after(wait_s)
        until = min(end, exchange.ends_at or end)
        why = ""
        if len(waiting) >= endpoint.limits.queue.waiting_max:
            why = f"{len(waiting)} requests wait for {route.name} already"
        elif now + wait_s > until:
            why = f"{route.name} will be free in {wait_s:.1f} s, not within {until - now:.1f} s"
        if why:
            if not falls_back(exchange, 503):
                exchange.refuse(503, why, again)
            return
        exchange.hold_timer = loop.call_at(end, give_up, exchange)
    exchange.was_held = True
    waiting.join(exchange, endpoint.replicas)
    exchange.door.plane.doorbell.ring(route.thing, now)


def give_up(exchange: "Exchange") -> None:
    """It has waited long enough."""
    assert exchange.endpoint is not None
    body = exchange.endpoint.route.body
    if exchange.endpoint.chain and not exchange.is_whole and can_gather(exchange):
        # Who is asked instead takes it whole, and its last bytes may be on their way only.
        exchange.endpoint.waiting.leave(exchange)
        exchange.hold_timer = None
        gather(exchange)
    elif not falls_back(exchange, 503):
        exchange.refuse(503, f"no replica of {body.route} is ready; waited {body.hold_s:g} s")
