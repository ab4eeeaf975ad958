"""May this request pass? Who calls, whether he may, where to, and whether that is within his limits."""

from typing import TYPE_CHECKING

from weyr.core.limits import NO_LIMITS
from weyr.gateway.inference.allowance import Allowance, LimitHit, rate_fields
from weyr.gateway.inference.callers import WORDS, Caller, action_of, may
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.refusals import retry_after
from weyr.gateway.inference.request import NORMAL
from weyr.gateway.inference.scrape import PLACE, scrape
from weyr.gateway.inference.wishes import priority_of

if TYPE_CHECKING:
    from weyr.gateway.inference.exchange import Exchange


def admitted(exchange: "Exchange") -> Endpoint | None:
    """The endpoint that a request may pass to. None where it may not: then its caller has been answered."""
    plane = exchange.door.plane
    action = action_of(exchange.method, exchange.path)
    caller = plane.callers.allowed(exchange.token, action, exchange.name, exchange.began_at)
    endpoint = plane.table.by_prefix.get(exchange.name)
    if caller is None or endpoint is None:
        caller = _looked_up(exchange, endpoint, action)
        if caller is None or endpoint is None:
            return None
    exchange.caller = caller.principal.name
    if (endpoint.is_limited or caller.limits is not NO_LIMITS) and not _is_within(exchange, endpoint, caller):
        return None
    asked = None if exchange.is_plain else exchange.special.get(b"x-priority")
    if asked is not None:
        exchange.priority = min(priority_of(asked), caller.priority_max)
    elif caller.priority_max < NORMAL:
        exchange.priority = caller.priority_max
    return endpoint


def _looked_up(exchange: "Exchange", endpoint: Endpoint | None, action: str) -> Caller | None:
    """Who calls, if he may. Answers him if he may not, or asks for no endpoint."""
    plane, name = exchange.door.plane, exchange.name.decode("latin-1")
    caller = plane.callers.caller(exchange.token) if exchange.token else None
    if caller is None:
        plane.audit.refused("", action, name, "no valid token")
        exchange.refuse(401, "send a valid token: Authorization: Bearer TOKEN")
        return None
    principal = caller.principal
    if exchange.name == PLACE:
        scrape(exchange, principal)
    elif not may(principal, action, name):
        plane.audit.refused(principal.name, action, name, "no grant covers it")
        exchange.refuse(403, f"{principal.name} may not {WORDS[action]} {name}")
    elif endpoint is None:
        exchange.refuse(404, f'there is no endpoint "{name}"; the path begins with /stack/endpoint')
    else:
        plane.callers.allow(exchange.token, action, exchange.name, caller)
        return caller
    return None


def _is_within(exchange: "Exchange", endpoint: Endpoint, caller: Caller) -> bool:
    """Whether the caller has not used up what he may ask here. Answers him if he has."""
    counted = endpoint.counted(caller)
    if counted.body_max and counted.body_max < exchange.body_max:
        exchange.body_max = counted.body_max
    size = exchange.length if exchange.length > exchange.received else exchange.received
    try:
        exchange.allowance = Allowance(exchange.door.plane.tally, counted, size)
    except LimitHit as e:
        endpoint.turned_away(e.status)
        again = (retry_after(e.retry_s),) if e.retry_s else ()
        exchange.adds = rate_fields(e.verdict) if e.verdict and e.verdict.limit else b""
        exchange.refuse(e.status, f"{exchange.caller} may ask {endpoint.route.name} no more: {e.what}", *again)
        return False
    except OSError as e:
        # What cannot be counted is not let pass: it may be somebody's money.
        exchange.refuse(503, f"limits cannot be counted: {e}")
        return False
    return True
