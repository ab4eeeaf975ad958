"""One trace goes from the caller through the plane and the replica's queue into the batch and the model."""

import json
import threading
from typing import Any

from collector import attributes, collector
from inference_plane import ROUTE, running_plane, until
from served_models import Identity, ask, served

from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.watch import Watch
from weyr.runtime.serve.batch import Batching
from weyr.runtime.serve.model import Model

ASKED = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
TRACES = [f"{number:032x}" for number in (1, 2, 3)]


def test_a_batch_is_linked_to_its_requests() -> None:
    """Who waited for whom is seen in either's trace: a slow neighbour in a batch is no mystery."""
    gate, began = threading.Event(), threading.Event()

    def before(_inputs: Any) -> None:
        began.set()
        gate.wait(60)

    with collector() as there, running_plane() as plane:
        model = Model("m", "1", Identity(before=before))
        socket = plane.home / "m.sock"
        with served([model], Batching(threads=1), socket=socket, traces_to=there.url) as port:
            versions = (RouteVersion("1", "m", replicas=(("a", str(plane.home / "m.sock")),)),)
            plane.tell(RouteBody(ROUTE, versions, watch=Watch(traces_to=there.url)))

            def call(trace: str) -> None:
                parent = f"00-{trace}-00000000000000aa-01"
                assert plane.ask(f"/{ROUTE}/v2/models/m/infer", "POST", ASKED, traceparent=parent)[0] == 200

            callers = [threading.Thread(target=call, args=(trace,)) for trace in TRACES]
            callers[0].start()
            assert began.wait(60)
            for caller in callers[1:]:
                caller.start()
            until(lambda: b"weyr_replica_waiting 2" in ask(port, "/metrics")[1], "the others wait in the replica")
            gate.set()
            for caller in callers:
                caller.join(60)
            until(lambda: len(there.named("batch")) == 2 and len(there.named(f"POST {ROUTE}")) == 3, "all is told of")

        by_id = {span.span_id: span for _, span in there.spans}
        first, second = sorted(there.named("batch"), key=lambda span: len(span.links))
        assert {link.trace_id.hex() for link in second.links} == set(TRACES[1:])
        assert attributes(second) == {"weyr.batch.requests": 2, "weyr.batch.rows": 2, "weyr.model": "m"}
        waits = [span for span in there.named("replica queue") if span.trace_id.hex() in TRACES[1:]]
        assert {link.span_id for span in waits for link in span.links} == {second.span_id}

        above, names = first.span_id, ["model"]
        assert above in {span.parent_span_id for span in there.named("model")}
        while above in by_id:
            names.append(by_id[above].name)
            above = by_id[above].parent_span_id
        assert names == ["model", "batch", "POST /v2/models/m/infer", "POST replica", f"POST {ROUTE}"]
        assert {service for service, _ in there.spans} == {"weyr-inference", "weyr-replica"}


def test_what_nobody_traces_is_told_to_nobody() -> None:
    """A replica that knows a collector still tells it only of what the caller, or the plane, chose."""
    with collector() as there, running_plane() as plane:
        with served([Model("m", "1", Identity())], socket=plane.home / "m.sock", traces_to=there.url):
            versions = (RouteVersion("1", "m", replicas=(("a", str(plane.home / "m.sock")),)),)
            plane.tell(RouteBody(ROUTE, versions, watch=Watch(traces_to=there.url)))
            assert plane.ask(f"/{ROUTE}/v2/models/m/infer", "POST", ASKED)[0] == 200
            header = f"00-{TRACES[0]}-00000000000000aa-01"
            assert plane.ask(f"/{ROUTE}/v2", traceparent=header)[0] == 200
            until(lambda: there.named("GET /v2"), "what is traced comes")

        assert not there.named("batch")
