"""A server of canned answers: the API as the command line sees it, with nothing behind it.

    python fake_server.py --home DIR [--start-s 0.3] [--fails job/train] [--auto]

Writes the data folder's token and run/server.json as the real one does. After a plan is applied its objects come up
one after another, `--start-s` apart; a removal takes them away the same way, in a second each at most. SIGTERM and
the stop route end it.
"""

import argparse
import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from weyr.cli.place import start_ticks

TOKEN = "fake-admin-token"
REFS = ("bucket/lake", "job/train", "model/digits", "endpoint/digits")
PLAN_TEXT = "digits\n  + bucket/lake\n  + job/train\n  + model/digits\n  + endpoint/digits\n\n4 to create"
RUN = {
    "run_id": "0f6d5a3e9b7c4d21", "experiment": "digits", "name": "train-2", "status": "FINISHED", "started_at": 1.0,
    "ended_at": 2.0, "metrics": {"accuracy": 0.9722, "loss": 0.05}, "params": {"epochs": "30"},
}  # fmt: skip
HISTORY = {"loss": [[i, 2.3 / (i + 1), float(i)] for i in range(30)], "accuracy": [[29, 0.9722, 29.0]]}
COST = {
    "currency": "USD",
    "rows": [{"key": "job/train", "micros": 4_000}, {"key": "bucket/lake", "micros": 1_000}],
    "total_micros": 5_000,
    "rate_micros_per_hour": 40_000,
    "forecast_month_micros": 29_200_000,
}
REFUSAL = {
    "at": 1.0, "process": "s3", "principal": "task:digits:job/train#1", "action": "s3:read", "resource": "other/key",
    "allowed": False, "reason": "no grant",
}  # fmt: skip
EVENTS_SEEN_WAIT_S = 0.02
STOPPING = threading.Event()


class World:
    """What the fake knows: when something was applied, and what comes of it by now."""

    def __init__(self, start_s: float, fails: str) -> None:
        self.start_s, self.fails = start_s, fails
        self.url = ""
        self.applied_at: float | None = None
        self.removed_at: float | None = None
        self.secrets: dict[tuple[str, str], int] = {}
        self.asked: list[tuple[str, str, object]] = []

    def phases(self) -> dict[str, str]:
        """Each object's phase now; gone objects are left out."""
        if self.applied_at is None:
            return {}
        begin, done = ("removing", "") if self.removed_at else ("working", "ready")
        each_s = min(self.start_s, 1.0) if self.removed_at else self.start_s
        steps = int((time.monotonic() - (self.removed_at or self.applied_at)) / each_s) if each_s else 99
        phases = {ref: done if index < steps else begin for index, ref in enumerate(REFS)}
        if phases.get("job/train") == "ready":
            phases["job/train"] = "done"
        if self.fails and not self.removed_at and phases[self.fails] in ("ready", "done"):
            phases[self.fails] = "failed"
        return {ref: phase for ref, phase in phases.items() if phase}

    def objects(self) -> list[dict[str, object]]:
        return [self._object(ref, phase) for ref, phase in self.phases().items()]

    def _object(self, ref: str, phase: str) -> dict[str, object]:
        kind, _, name = ref.partition("/")
        failed = phase == "failed"
        condition = {
            "type": "Failed" if failed else "Ready",
            "status": failed or phase in ("ready", "done"),
            "reason": "Failed" if failed else "Told",
            "message": "exit code 3" if failed else f"{name} is {phase}",
        }
        outputs = {"url": f"{self.url}/digits/digits", "model": "digits"} if kind == "endpoint" else {}
        return {
            "ref": ref,
            "stack": "digits",
            "kind": kind,
            "name": name,
            "phase": phase,
            "generation": 1,
            "conditions": [condition],
            "outputs": outputs,
            "things": [
                {"id": f"digits:{ref}#1", "part": "1", "capability": "TaskRunner", "state": phase},
                *_route(ref),
            ],
            "rate_micros_per_hour": 40_000,
            "cost_micros": 1_500,
            "updated_at": 1.0,
        }

    def events(self) -> list[dict[str, object]]:
        settled = [o for o in self.objects() if o["phase"] not in ("working", "removing")]
        return [
            {
                "id": i + 1,
                "at": 1_700_000_000.0 + i,
                "stack": "digits",
                "ref": f"digits:{o['ref']}",
                "event": f"phase.{o['phase']}",
                "message": "so it is told",
            }
            for i, o in enumerate(settled)
        ]


class Handler(BaseHTTPRequestHandler):
    """One request. `world` is set on the class by `main`."""

    world: World
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.world.asked.append((method, self.path, body))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json(401, problem("Not signed in", "The token is unknown."))
        elif parts.path == "/v1/events/stream":
            self._stream(int(query.get("after", 0)))
        elif parts.path == "/v1/logs":
            self._text("epoch 1 loss 2.3\nepoch 2 loss 1.1\n", is_endless=query.get("follow") == "1")
        else:
            self._json(*self._routed(method, parts.path, query, body))

    def _routed(self, method: str, path: str, query: dict[str, str], body: dict[str, object]) -> tuple[int, object]:
        world = self.world
        match method, path.strip("/").split("/"):
            case "GET", ["healthz"]:
                return 200, {"ok": True}
            case "GET", ["v1", "server"]:
                return 200, {"version": "0.1.0", "pid": os.getpid(), "uptime_s": 61.0, "url": world.url, "planes": {}}
            case "POST", ["v1", "plans"]:
                return self._planned(body)
            case "GET", ["v1", "plans", "gone"]:
                return 404, problem("No such plan", "There is no plan gone.")
            case "GET", ["v1", "plans", plan]:
                return 200, self._plan(plan, is_removal=plan == "plan-down")
            case "POST", ["v1", "plans", "plan-old", "apply"]:
                return 409, problem(
                    "The world has moved", "job/train changed since the plan was made. Nothing was changed."
                )
            case "POST", ["v1", "plans", plan, "apply"]:
                if plan == "plan-down":
                    world.removed_at = time.monotonic()
                elif world.applied_at is None:
                    world.applied_at = time.monotonic()
                return 200, {"stack": "digits", "plan": plan}
            case "GET", ["v1", "stacks"]:
                return 200, {"stacks": [{"name": "digits", "plan": "plan-up", "objects": 4}] if world.phases() else []}
            case "GET", ["v1", "objects"]:
                wanted = {key: query[key] for key in ("stack", "kind", "name") if key in query}
                return 200, {"objects": [o for o in world.objects() if wanted.items() <= o.items()]}
            case "GET", ["v1", "events"]:
                return 200, {"events": world.events()[-int(query.get("limit", 200)) :]}
            case "GET", ["v1", "runs"]:
                return 200, {"runs": [RUN] if world.phases() else []}
            case "GET", ["v1", "runs", _]:
                return 200, {**RUN, "history": HISTORY}
            case "GET", ["v1", "cost"]:
                return 200, COST
            case "POST", ["v1", "orders"]:
                return 202, body
            case "POST", ["v1", "chaos", "reclaim"]:
                return 202, {"ref": body["ref"], "notice_s": body["notice_s"]}
            case "GET", ["v1", "secrets"]:
                return 200, {"secrets": [{"stack": s, "name": n, "version": v} for (s, n), v in world.secrets.items()]}
            case "PUT", ["v1", "secrets", stack, name]:
                world.secrets[stack, name] = world.secrets.get((stack, name), 0) + 1
                return 200, {"stack": stack, "name": name, "version": world.secrets[stack, name]}
            case "DELETE", ["v1", "secrets", stack, name]:
                return (
                    (200, {})
                    if world.secrets.pop((stack, name), 0)
                    else (404, problem("No such secret", f"There is no {name}."))
                )
            case "GET", ["v1", "audit"]:
                return 200, {"events": [REFUSAL]}
            case "POST", ["v1", "server", "stop"]:
                threading.Thread(target=self.server.shutdown).start()
                return 202, {}
            case "GET", ["digits", "digits", "v2", "models", "digits"]:
                return 200, {"inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}]}
        return 404, problem("No such route", f"{method} {path}")

    def _planned(self, body: dict[str, object]) -> tuple[int, object]:
        if body.get("remove"):
            return 200, self._plan("plan-down", is_removal=True)
        text = str(body["text"])
        if "sise" in text:
            place = {"file": body["file"], "line": 3}
            detail = 'there is no field "sise". Did you mean "size"?'
            step = "weyr explain volume"
            return 400, problem("Unknown field", detail, place=place, ref="volume/data", suggestion=step)
        return 200, self._plan("plan-same" if self.world.applied_at else "plan-up", is_removal=False)

    def _plan(self, plan: str, is_removal: bool) -> dict[str, object]:
        action = "destroy" if is_removal else "create"
        steps = [] if plan == "plan-same" else [{"action": action, "ref": ref} for ref in REFS]
        text = (
            "digits\n  nothing changes" if plan == "plan-same" else PLAN_TEXT.replace("+", "-" if is_removal else "+")
        )
        return {"id": plan, "stack": "digits", "text": text, "steps": steps, "findings": []}

    def _json(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _text(self, text: str, is_endless: bool) -> None:
        self.send_response(200)
        if is_endless:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunk(text)
            STOPPING.wait()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self, after: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                for event in self.world.events():
                    if int(str(event["id"])) > after:
                        after = int(str(event["id"]))
                        self._chunk(f"id: {after}\ndata: {json.dumps(event)}\n\n")
                self._chunk(": still here\n\n")
                STOPPING.wait(EVENTS_SEEN_WAIT_S)
        except OSError:
            return

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def problem(summary: str, detail: str, **rest: object) -> dict[str, object]:
    return {"diagnostics": [{"severity": "fatal", "summary": summary, "detail": detail, **rest}]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--start-s", type=float, default=0.0)
    parser.add_argument("--fails", default="")
    parser.add_argument("--auto", action="store_true")
    given = parser.parse_args()
    world = Handler.world = World(given.start_s, given.fails)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    home: Path = given.home
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "admin.token").write_text(TOKEN + "\n")
    pid = os.getpid()
    facts = {
        "pid": pid,
        "started": start_ticks(pid),
        "port": server.server_address[1],
        "url": world.url,
        "auto": given.auto,
    }
    (home / "run" / ".server.json").write_text(json.dumps(facts))
    (home / "run" / ".server.json").rename(home / "run" / "server.json")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever(poll_interval=0.05)
    (home / "run" / "server.json").unlink()


def _route(ref: str) -> list[dict[str, object]]:
    """The route of the endpoint, whose second version fails often."""
    if not ref.startswith("endpoint/"):
        return []
    counts = {"requests": 1000, "latency_sum_s": 100.0, "latency_squares": 10.1}
    versions: list[dict[str, object]] = [{"name": "3", "errors": 10, **counts}, {"name": "4", "errors": 200, **counts}]
    return [{"id": f"digits:{ref}#route", "capability": "TrafficRouter", "state": "present", "versions": versions}]


if __name__ == "__main__":
    main()
