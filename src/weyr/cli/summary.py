"""What has come up? Where it answers, what was learned, what it costs, and what to type next."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from math import prod
from typing import Any
from urllib.parse import urlsplit

from weyr.cli.advice import hint
from weyr.cli.client import Client, HttpClient
from weyr.cli.curve import curve, number_text
from weyr.cli.money import bill_line
from weyr.cli.objects import Row
from weyr.cli.screen import coloured, put
from weyr.core.diagnostic import WeyrError
from weyr.core.phase import Phase

RUNS_MAX = 3
ASK_TIMEOUT_S = 10.0
VALUES_MAX = 128
"""A curl line with more numbers than this is not one that people read."""


def stack_summary(client: HttpClient, stack: str, rows: Sequence[Row]) -> None:
    """Prints what stands: endpoints with a line that works, runs, the reference, the cost so far."""
    for row in rows:
        url = row.outputs.get("url")
        # An endpoint that failed or waits has an address too, and nothing behind it.
        if row.kind == "endpoint" and row.phase is Phase.READY and isinstance(url, str) and url:
            _title(f"{row.ref} answers at {url}")
            path = str(row.outputs.get("path") or "")
            model = str(row.outputs.get("model") or row.name)
            put("  " + (_curl(client, url.rstrip("/") + path) if path else curl_line(client, url, model)))
    for run in _newest_runs(client, stack):
        _title(f"run {run.get('name') or run.get('run_id')}: {run.get('status', '')}")
        put(indented(run_text(run)))
    _title("What it costs")
    put(f"  {bill_line(client.call('GET', '/v1/cost', stack=stack))}")
    if waste := hint(client, stack):
        put(f"  {waste}")
    _title("What next")
    steps = {
        "weyr get": "what stands",
        "weyr runs": "what was learned",
        "weyr cost --by object": "the bill",
        f"weyr down --stack {stack}": "take it all down",
        f"{client.server.url}/docs": "the API reference",
    }
    room = max(len(step) for step in steps)
    put("\n".join(f"  {step:<{room}}  {sense}" for step, sense in steps.items()))


def curl_line(client: HttpClient, url: str, model: str) -> str:
    """A command that asks the endpoint's model something and gets an answer.

    The question is made from the model's own metadata: zeros in the shape that it takes. Where that is
    not known or too long to read, the line asks for the metadata itself.
    """
    target = f"{url.rstrip('/')}/v2/models/{model}"
    question = _question(_metadata(target, client.token))
    return _curl(client, target) if question is None else f"{_curl(client, target)}/infer -d '{question}'"


def _curl(client: HttpClient, target: str) -> str:
    said = "$WEYR_TOKEN" if client.person else f"$(cat {shlex.quote(str(client.home / 'admin.token'))})"
    token = f"Authorization: Bearer {said}"
    return f'curl -s -H "{token}" {target}'


def run_text(run: Mapping[str, Any], columns: int = 50, rows: int = 6) -> str:
    """A run's last metrics on one line, and under it the curve of its loss (or of its first metric)."""
    metrics = run.get("metrics") or {}
    lines = ["  ".join(f"{name} {number_text(float(value))}" for name, value in sorted(metrics.items()))]
    history = run.get("history") or {}
    name = curve_metric(history)
    if name:
        points = [(float(point[0]), float(point[1])) for point in history[name]]
        is_plain = "utf" not in (sys.stdout.encoding or "").lower()
        lines += [name, curve(points, columns, rows, is_plain)]
    return "\n".join(line for line in lines if line) or "no metrics"


def curve_metric(history: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """The metric worth drawing: a loss if there is one, else the first with two values or more."""
    drawable = sorted(name for name, points in history.items() if len(points) > 1)
    losses = [name for name in drawable if "loss" in name.lower()]
    return next(iter([*losses, *drawable]), "")


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _title(text: str) -> None:
    put("\n" + coloured(text, "title"))


def _newest_runs(client: Client, stack: str) -> list[dict[str, Any]]:
    runs = client.call("GET", "/v1/runs", stack=stack).get("runs") or []
    newest = sorted(runs, key=lambda run: float(run.get("started_at") or 0), reverse=True)[:RUNS_MAX]
    return [client.call("GET", f"/v1/runs/{run['run_id']}") for run in reversed(newest)]


def _metadata(target: str, token: str) -> Mapping[str, Any]:
    """The model's metadata, or nothing where it does not come in time: the summary does not wait for it."""
    parts = urlsplit(target)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", parts.path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        value = json.loads(response.read())
        return value if response.status == 200 and isinstance(value, dict) else {}
    except (OSError, HTTPException, ValueError, WeyrError):
        return {}
    finally:
        connection.close()


def _question(metadata: Mapping[str, Any]) -> str | None:
    inputs = []
    for tensor in metadata.get("inputs") or ():
        shape = [max(1, int(size)) for size in tensor.get("shape") or ()]
        if str(tensor.get("datatype")) == "BYTES" or prod(shape) > VALUES_MAX:
            return None
        inputs.append(
            {"name": tensor.get("name"), "shape": shape, "datatype": tensor.get("datatype"), "data": [0] * prod(shape)}
        )
    return json.dumps({"inputs": inputs}, separators=(",", ":")) if inputs else None
