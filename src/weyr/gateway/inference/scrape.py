"""Who may read the plane's metrics at its own port, and of which of its processes? Nobody else need be alive for it.

`GET /-/metrics/inference-1`: whichever process has the connection asks the one that is named, at its control socket.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from weyr.core.grants import Principal, is_allowed
from weyr.wire.ask import NoAnswer, asked
from weyr.wire.message import TEXT, Response

if TYPE_CHECKING:
    from weyr.gateway.inference.exchange import Exchange

PLACE = b"-/metrics"
"""Where an endpoint's stack and name stand otherwise; no stack is called so."""
GRANT = "api:read", "metrics"
_NAME = re.compile(rb"/([a-z]+(?:-\d{1,3})?)")


def scrape(exchange: "Exchange", principal: Principal) -> None:
    """Answers who wants to read metrics."""
    plane, found = exchange.door.plane, _NAME.fullmatch(exchange.path)
    teller = plane.teller
    name = found[1].decode() if found else ""
    if not is_allowed(principal.grants, *GRANT):
        plane.audit.refused(principal.name, *GRANT, "no grant covers it")
        exchange.refuse(403, f"{principal.name} may not read metrics")
    elif exchange.method != b"GET" or not name or name.partition("-")[0] != teller.name.partition("-")[0]:
        exchange.refuse(404, f"ask GET /-/metrics/{teller.name}, or name another process of this plane")
    elif name == teller.name:
        exchange.reply(200, Response(200, teller.metrics().encode(), TEXT))
    else:
        there = teller.control.with_name(f"{name}{teller.control.suffix}")
        exchange.task = plane.loop.create_task(_relayed(exchange, there))


async def _relayed(exchange: "Exchange", there: Path) -> None:
    """Answers with what another process says."""
    try:
        status, text = await asked(there, "GET", "/metrics")
    except NoAnswer as e:
        exchange.refuse(503, str(e))
        return
    exchange.reply(status, Response(status, text, TEXT))
