"""May this request pass? Who calls, whether he may, where to, and whether that is within his limits."""

from typing import TYPE_CHECKING

from weyr.core.api_keys import PRIORITIES
from weyr.core.grants import Principal
from weyr.core.limits import NO_LIMITS
from weyr.gateway.inference.allowance import Allowance, LimitHit, rate_fields
from weyr.gateway.inference.callers import WORDS, Caller, action_of, may
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.refusals import retry_after
from weyr.gateway.inference.scrape import PLACE, scrape
from weyr.gateway.inference.wishes import priority_of

if TYPE_CHECKING:
    from weyr.gateway.inference.exchange import Exchange

NORMAL = PRIORITIES["normal"]


def admitted(exchange: "Exchange") -> Endpoint | None:
    """The endpoint that a request may pass to. None where it may not: then its caller has been answered."""
    plane, name = exchange.door.plane, exchange.name.decode("latin-1")
    caller = plane.callers.caller(exchange.token) if exchange.token else None
    action = action_of(exchange.method, exchange.path)
    if caller is None:
        plane.audit.refused("", action, name, "no valid token")
        exchange.refuse(401, "send a valid token: Authorization: Bearer TOKEN")
        return None
    principal = caller.principal
    is_allowed = may(principal, action, name)
    endpoint = plane.table.by_prefix.get(exchange.name) if is_allowed else None
    if endpoint is None:
        _turn_away(exchange, principal, action, is_allowed)
        return None
    exchange.caller = principal.name
    if (endpoint.is_limited or caller.limits is not NO_LIMITS) and not _is_within(exchange, endpoint, caller):
        return None
    if exchange.asked_priority is not None:
        exchange.priority = min(priority_of(exchange.asked_priority), caller.priority_max)
    elif caller.priority_max < NORMAL:
        exchange.priority = caller.priority_max
    return endpoint


def _turn_away(exchange: "Exchange", principal: Principal, action: str, is_allowed: bool) -> None:
    """Answers who asks for no endpoint, or for one that he may not ask."""
    name = exchange.name.decode("latin-1")
    if exchange.name == PLACE:
        scrape(exchange, principal)
    elif is_allowed:
        exchange.refuse(404, f'there is no endpoint "{name}"; the path begins with /stack/endpoint')
    else:
        exchange.door.plane.audit.refused(principal.name, action, name, "no grant covers it")
        exchange.refuse(403, f"{principal.name} may not {WORDS[action]} {name}")


def _is_within(exchange: "Exchange", endpoint: Endpoint, caller: Caller) -> bool:
    """Whether the caller has not used up what he may ask here. Answers him if he has."""
    counted = endpoint.counted(caller)
    if counted.body_max:
        exchange.body_max = min(exchange.body_max, counted.body_max)
    size = max(exchange.length, exchange.received)
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
