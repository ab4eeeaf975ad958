"""What may Weyr itself ask the plane? Its health, its counts, and to read the routes again.

Over a Unix socket whose permissions are the authentication. `GET /stats` tells of every endpoint, with `?names=a/b,c/d`
of these.
"""

from typing import cast

from weyr.core.plain import plain_of
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.metrics import Teller
from weyr.gateway.inference.plane import Plane
from weyr.wire.epochs import HEADER, Epochs
from weyr.wire.message import TEXT, Request, Response, answer, refusal


class Control:
    """The handler of the control socket."""

    def __init__(self, plane: Plane, epochs: Epochs, teller: Teller) -> None:
        self._plane, self._epochs, self._teller = plane, epochs, teller

    def __call__(self, request: Request) -> Response:
        table = self._plane.table
        match request.method, request.path:
            case b"GET", b"/health":
                problems = [text for text in (table.problem, self._plane.callers.problem) if text]
                return answer({"ok": not problems, "generation": table.generation, "problems": problems})
            case b"POST", b"/reload":
                if why := self._epochs.refusal(request.headers.get(HEADER.lower().encode(), b"").decode("latin-1")):
                    return refusal(409, why)
                return answer({"generation": table.reload(), "problem": table.problem})
            case b"GET", b"/stats":
                seen = table.seen()
                asked = request.target.partition(b"?names=")[2].decode("latin-1")
                names = [name for name in asked.split(",") if name in seen] if asked else seen
                endpoints = {name: _stats(seen[name]) for name in names}
                return answer({"generation": table.generation, "endpoints": endpoints})
            case b"GET", b"/metrics":
                return Response(200, self._teller.metrics().encode(), TEXT)
            case b"POST", b"/bequest":
                return answer({"file": str(self._teller.bequeath())})
            case _:
                return refusal(404, "ask GET /health, /stats, /metrics, or POST /reload, /bequest")


def _stats(endpoint: Endpoint) -> dict[str, object]:
    replicas: dict[str, dict[str, object]] = {}
    for replica in endpoint.all_replicas():
        before = replicas.get(replica.address.id, {})
        replicas[replica.address.id] = {
            "inflight": cast(int, before.get("inflight", 0)) + replica.inflight,
            "requests": cast(int, before.get("requests", 0)) + replica.requests,
            "out": replica.health.reason,
        }
    return {
        "thing": endpoint.route.thing,
        "generation": endpoint.route.generation,
        "inflight": endpoint.inflight,
        "waiting": len(endpoint.waiting),
        "requests": endpoint.requests,
        "errors": endpoint.errors,
        "last_request_at": endpoint.last_request_at,
        "replicas": replicas,
        "retries": endpoint.retries,
        "cut": endpoint.cut,
        "versions": [plain_of(counts.seen()) for counts in endpoint.counts.values()],
    }
