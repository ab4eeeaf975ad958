"""What the plane tells of its requests: tokens and times of streams, cold starts, traces and payload logs."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import attributes, collector
from inference_plane import ROUTE, Plane, Script, echo_replica, running_plane, short_folder, unix_get, until
from prometheus_client.parser import text_string_to_metric_families

from weyr.core.routes import Fallback, RouteBody, RouteVersion, Traffic
from weyr.core.watch import PayloadLog, Watch

CHAT = f"/{ROUTE}/v1/chat/completions"
VERSION = {"endpoint": ROUTE, "version": "1"}
CALLER = VERSION | {"caller": "tester"}
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def event(fields: object) -> bytes:
    text = f"data: {json.dumps(fields)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(text), text)


STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    *(part for number in range(3) for part in (0.25, event({"choices": [{"delta": {"content": f"w{number}"}}]}))),
    event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}})
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
)


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    """A plane. Counts of one test are there for the next, so each has a version of its own."""
    with running_plane() as plane:
        yield plane


def told(plane: Plane, name: str, labels: dict[str, str]) -> float:
    """A sample of the plane's metrics; nothing is 0."""
    text = unix_get(plane.control, "/metrics").decode()
    families = text_string_to_metric_families(text)
    found = [s.value for family in families for s in family.samples if s.name == name and s.labels == labels]
    return sum(found)


def route(plane: Plane, version: str, replica: Path | None, watch: Watch, hold_s: float = 10.0) -> None:
    replicas = (("a", str(replica)),) if replica else ()
    plane.tell(RouteBody(ROUTE, (RouteVersion(version, "digits", replicas=replicas),), hold_s, watch=watch))


def test_tokens_and_their_times_are_read_while_a_stream_passes(plane: Plane) -> None:
    """Time to first token and between tokens are what a reader of a chat feels."""
    script = Script(plane.home / "chat.sock", *STREAM)
    route(plane, "1", plane.home / "chat.sock", Watch())
    status, body = plane.ask(CHAT, "POST", b'{"stream": true}')
    script.close()

    assert (status, body.count(b"data:")) == (200, 5)
    first, between = ("weyr_inference_time_to_first_token_seconds", "weyr_inference_inter_token_latency_seconds")
    assert told(plane, f"{first}_count", VERSION) == 1
    assert told(plane, f"{first}_sum", VERSION) > 0.04
    assert told(plane, f"{between}_count", VERSION) == 4
    assert told(plane, f"{between}_sum", VERSION) > 0.08
    assert told(plane, "weyr_inference_prompt_tokens_total", CALLER) == 11
    assert told(plane, "weyr_inference_generation_tokens_total", CALLER) == 3
    (counts,) = plane.stats()["versions"]
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (11, 3)


def test_a_request_that_waits_for_a_model_to_wake_is_a_cold_start(plane: Plane) -> None:
    """How often somebody waited, and how long, is the price of scaling to zero."""
    route(plane, "cold", None, Watch(has_callers=False))
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(plane.ask(f"/{ROUTE}/x")[0]))
    caller.start()
    until(lambda: plane.stats()["waiting"] == 1, "it is held")
    with echo_replica(plane.home / "cold.sock", "cold"):
        route(plane, "cold", plane.home / "cold.sock", Watch(has_callers=False))
        caller.join(60)
        assert plane.ask(f"/{ROUTE}/x")[0] == 200

    labels = {"endpoint": ROUTE, "version": "cold"}
    assert answers == [200]
    assert told(plane, "weyr_inference_cold_start_seconds_count", labels) == 1
    assert told(plane, "weyr_inference_cold_start_seconds_sum", labels) > 0.01
    assert told(plane, "weyr_inference_queue_seconds_count", labels) == 2
    assert told(plane, "weyr_inference_requests_total", labels | {"caller": "", "status": "200"}) == 2, (
        "as it was asked"
    )


def test_a_callers_trace_goes_on_through_the_plane_to_the_replica(plane: Plane) -> None:
    """One trace from the client to the model: who is slow is then a look, not a search."""
    with collector() as there, echo_replica(plane.home / "traced.sock", "a"):
        route(plane, "traced", plane.home / "traced.sock", Watch(traces_to=there.url))
        status, body = plane.ask(f"/{ROUTE}/x", traceparent=PARENT, tracestate="vendor=1")
        assert plane.ask(f"/{ROUTE}/x", traceparent=PARENT[:-1] + "0")[0] == 200, "not sampled by its caller"
        until(lambda: len(there.spans) == 3, "the spans of one request come")

        whole, queue, sent = (there.named(name)[0] for name in (f"GET {ROUTE}", "queue", "GET replica"))
        assert {span.trace_id.hex() for span in (whole, queue, sent)} == {TRACE}
        assert whole.parent_span_id.hex() == "b7ad6b7169203331"
        assert queue.parent_span_id == sent.parent_span_id == whole.span_id
        heard = json.loads(body)["headers"]
        assert heard["traceparent"] == f"00-{TRACE}-{sent.span_id.hex()}-01", "the replica's own span goes below it"
        assert heard["tracestate"] == "vendor=1"
        assert attributes(whole)["http.response.status_code"] == status == 200
        assert attributes(sent)["weyr.replica"] == "a"
        assert whole.start_time_unix_nano <= sent.start_time_unix_nano <= sent.end_time_unix_nano
    assert told(plane, "weyr_inference_spans_total", {}) == 3


def test_a_chat_is_told_of_in_the_conventions_words(plane: Plane) -> None:
    """A tool that knows generative AI by OpenTelemetry's conventions knows ours."""
    script = Script(plane.home / "told.sock", *STREAM)
    with collector() as there:
        route(plane, "told", plane.home / "told.sock", Watch(traces_to=there.url, sample=1.0))
        assert plane.ask(f"{CHAT}?key=secret", "POST", b'{"stream": true}')[0] == 200
        until(lambda: there.named(f"POST {ROUTE}"), "it is told of")
        said = attributes(there.named(f"POST {ROUTE}")[0])
    script.close()

    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.request.model"] == ROUTE
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (11, 3)
    assert (said["http.route"], said["url.path"]) == (f"/{ROUTE}", "/v1/chat/completions")
    assert "error.type" not in said


def test_a_fallback_is_counted_by_who_took_the_request(plane: Plane) -> None:
    """Somebody else's bill begins here."""
    with echo_replica(plane.home / "backup.sock", "b"):
        backup = RouteVersion("old", "digits", 0, (("b", str(plane.home / "backup.sock")),))
        traffic = Traffic(fallbacks=(Fallback("backup", version="old"),))
        plane.tell(RouteBody(ROUTE, (RouteVersion("gone", "digits"), backup), 0.0, traffic=traffic))
        assert plane.ask(f"/{ROUTE}/x")[0] == 200

    assert told(plane, "weyr_inference_fallbacks_total", {"endpoint": ROUTE, "by": "backup"}) == 1


def test_a_share_of_those_without_a_trace_is_traced(plane: Plane) -> None:
    """Most clients bring none; all of them at 1, none at 0."""
    with collector() as there, echo_replica(plane.home / "drawn.sock", "a"):
        route(plane, "drawn", plane.home / "drawn.sock", Watch(traces_to=there.url, sample=1.0))
        heard = json.loads(plane.ask(f"/{ROUTE}/x")[1])["headers"]["traceparent"]
        until(lambda: there.named("GET replica"), "it is told of")

        (sent,) = there.named("GET replica")
        assert heard == f"00-{sent.trace_id.hex()}-{sent.span_id.hex()}-01"
        assert there.named(f"GET {ROUTE}")[0].parent_span_id == b""


def test_a_payload_log_holds_what_was_asked_and_answered() -> None:
    """Drift is looked for in it. The token is in no line, and what rules name is in none."""
    with short_folder() as home:
        spool = home / "spool"
        with Plane(home, "--spool", str(spool)) as plane, echo_replica(home / "log.sock", "a"):
            log = PayloadLog("lake", "logs/", redact=("user.mail", r"/\d{16}/"))
            route(plane, "7", home / "log.sock", Watch(log=log))
            body = json.dumps({"user": {"mail": "a@b.c", "id": 1}, "text": "4111111111111111"}).encode()
            header = {"Content-Type": "application/json"}
            assert plane.ask(f"/{ROUTE}/raw?key=secret", "POST", body, **header) == (200, body)
            until(lambda: list(spool.rglob("*.part")), "it is on the disk")
            until(lambda: told(plane, "weyr_inference_log_records_total", {"endpoint": ROUTE}) == 1, "it is counted")
            plane.stop()

        (file,) = spool.rglob("*.jsonl")
        text = file.read_text()
        found = json.loads(text)
        assert "version=7" in str(file.relative_to(spool / "lake" / "logs" / ROUTE))
        assert not [word for word in ("tell-nobody", "secret", "a@b.c", "4111") if word in text]
        assert found["request"]["json"] == {"user": {"mail": "[redacted]", "id": 1}, "text": "[redacted]"}
        assert (found["caller"], found["path"], found["status"], found["replica"]) == ("tester", "/raw", 200, "a")
