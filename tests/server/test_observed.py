"""An endpoint as its owner sees it: Prometheus finds it, a dashboard asks for what is there, and it has a price."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from loopback import free_port
from one_user import User, until
from prometheus_client.parser import text_string_to_metric_families

from weyr.attempt import nvml
from weyr.cli.dashboard import PANELS, dashboard, exprs
from weyr.cli.metrics_page import page
from weyr.core import serving_metrics as names
from weyr.runtime.serve.counts import prometheus
from weyr.runtime.serve.devices import device_lines

ROOT = Path(__file__).parents[2]
CHAT = ROOT / "tests" / "e2e" / "chat_server.py"
STACK = f"""\
stack: seen
price_as: aws/g5.xlarge
buckets:
  lake: {{}}
endpoints:
  chat:
    run: [{sys.executable}, {CHAT}]
    ready: /metrics
    watch:
      log: {{bucket: lake, redact: ["messages[*].content"]}}
"""
CALLS = 6
_CHAT = "/seen/chat"
_NAME = re.compile(r"\b(weyr_[a-z_]+)\b")


def call(url: str, token: str, body: object = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=90) as answer:
        return bytes(answer.read())


@pytest.fixture(scope="module")
def chat(served: User) -> User:
    """A user whose endpoint was asked a few things, half of them to be streamed."""
    served.write(STACK)
    served.weyr("up", "--yes")
    (found,) = served.api("GET", "/v1/objects?kind=endpoint")["objects"]
    for number in range(CALLS):
        body = {"stream": bool(number % 2), "messages": [{"role": "user", "content": "a secret"}]}
        call(f"{found['outputs']['url']}/v1/chat/completions", served.token, body)
    return served


class Prometheus:
    """A real one, on the configuration that Weyr prints."""

    def __init__(self, user: User, folder: Path) -> None:
        config = user.weyr("metrics", "config").out.replace("15s", "1s")
        (folder / "prometheus.yml").write_text(config)
        self.url = f"http://127.0.0.1:{free_port()}"
        listen = f"--web.listen-address={self.url.removeprefix('http://')}"
        words = ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=found", listen)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)

    def ask(self, path: str, **query: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=60) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.URLError:
            return {}

    def values(self, query: str) -> list[float]:
        return [float(each["value"][1]) for each in self.ask("/api/v1/query", query=query).get("result", [])]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@pytest.fixture(scope="module")
def found(chat: User, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    assert shutil.which("prometheus") or not os.environ.get("WEYR_REQUIRE_INTEGRATION"), "prometheus is not installed"
    ours = Prometheus(chat, tmp_path_factory.mktemp("prometheus"))
    try:
        yield ours
    finally:
        ours.stop()


def test_prometheus_finds_the_server_the_planes_and_each_replica(found: Prometheus) -> None:
    """With what `weyr metrics config` prints and nothing else, through the server's one door."""

    def active() -> list[tuple[str, str, str]]:
        targets = found.ask("/api/v1/targets").get("activeTargets", [])
        return sorted((t["labels"]["job"], t["labels"].get("replica", ""), t["health"]) for t in targets)

    wanted = [("weyr", "", "up"), ("weyr-inference", "", "up"), ("weyr-replica", "1", "up")]
    until(lambda: active() == wanted, f"all are scraped, and not {active()}")
    labels = '{endpoint="seen/chat",replica="1"}'
    until(lambda: found.values(f"chat_words_total{labels}") == [3.0], "a replica's own metrics have its labels")
    asked = f'sum({names.REQUESTS.name}{{endpoint="seen/chat",status="200"}})'
    until(lambda: found.values(asked) >= [CALLS], "the requests were counted")
    assert found.values(f"sum({names.GENERATION_TOKENS.name})") == [3 * CALLS]
    assert found.values(f"{names.FIRST_TOKEN.sample('_count')}") == [CALLS / 2]


def test_the_dashboard_asks_for_nothing_that_is_not_there(chat: User) -> None:
    """A picture that stays empty for ever is found here, and not at three in the morning."""
    door = chat.url()
    told = call(f"{door}/metrics", chat.token) + call(f"{door}/v1/metrics/planes/inference", chat.token)
    told += "\n".join((*prometheus([]), *device_lines(), "")).encode()
    families = list(text_string_to_metric_families(told.decode()))
    there = {family.name + ("_total" if family.type == "counter" else "") for family in families}

    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for expr in exprs() for name in _NAME.findall(expr)}
    assert asked <= there
    # What a model server counts beside its histograms is looked for at one: tests/clients/test_model_metrics.py.
    assert {metric.name for metric in (*names.PLANE, *names.MONEY, *names.DEVICES)} <= there
    # The driver's library is asked in earnest: without one there are no rows, and not rows of zeros.
    rows = [sample for family in families if family.name.startswith("weyr_gpu_") for sample in family.samples]
    assert bool(rows) == bool(nvml.detect().devices)
    panels = dashboard()["panels"]
    assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}) == len(panels)


def test_the_dashboard_is_what_grafana_calls_one() -> None:
    """By the structure that Grafana's makers publish, which allows no field of another name: the dashboard as a whole,
    its panels' options, and their queries."""
    schema = json.loads((Path(__file__).parent / "grafana_schema.json").read_text())

    def judge(value: object, part: str, of: str = "") -> list[str]:
        chosen = schema[part] | ({"$ref": f"#/definitions/{of}"} if of else {})
        return [f"{'/'.join(map(str, e.path))}: {e.message}" for e in Draft7Validator(chosen).iter_errors(value)]

    # What a file that is shared asks its importer for is taken out when it is imported.
    whole = {key: value for key, value in dashboard().items() if key != "__inputs"}
    assert judge(whole, "dashboard") == []
    for panel in whole["panels"]:
        assert judge(panel, "dashboard", "Panel") == []
        assert judge(panel["options"], "timeseries", "Options") == []
        assert judge(panel["fieldConfig"]["defaults"]["custom"], "timeseries", "FieldConfig") == []
        assert [problem for target in panel["targets"] for problem in judge(target, "prometheus")] == []
    assert judge(whole | {"pannels": []}, "dashboard"), "this test can fail"


def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    """Prometheus' own tool reads them, as it would Grafana's."""
    rules = [{"record": f"q:{n}", "expr": _as_grafana_asks(expr)} for n, expr in enumerate(exprs())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = subprocess.run(
        ["promtool", "check", "rules", "rules.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, f"{len(rules)} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


def test_the_reference_of_metrics_is_the_table() -> None:
    """Run `python -m weyr.cli.metrics_page > docs/reference/metrics.md` after a change."""
    assert (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8") == page()


def test_an_endpoint_says_what_its_requests_cost(chat: User) -> None:
    """By version, idle time included; in the table, as JSON and for Prometheus the same."""

    def costs() -> dict[str, Any]:
        watched = json.loads(chat.weyr("top", "endpoint/chat", "--json").out)["endpoints"]
        cost: dict[str, Any] = watched[0]["cost"] if watched else {"micros": 0, "requests": 0}
        return cost

    url = chat.api("GET", "/v1/objects?kind=endpoint")["objects"][0]["outputs"]["url"]
    until(lambda: costs()["micros"] > 0, "it is watched")
    call(f"{url}/v1/chat/completions", chat.token, {"messages": []})
    until(lambda: costs()["requests"] > 0, "the request is seen")
    cost = costs()
    assert cost["per_thousand_requests_micros"] == cost["micros"] * 1000 // cost["requests"]
    assert cost["per_million_tokens_micros"] == cost["micros"] * 1_000_000 // cost["tokens"]
    row = f'{names.COST.name}{{currency="USD",endpoint="seen/chat"'
    until(lambda: row in call(f"{chat.url()}/metrics", chat.token).decode(), "Prometheus to be told")
    until(lambda: "PER 1,000" in chat.weyr("describe", "endpoint/chat").out, "its description to tell")
    until(lambda: "PER M TOKENS" in chat.weyr("get", "endpoint/chat").out, "the list to tell")
    for verb in ("get", "describe"):
        told = json.loads(chat.weyr(verb, "endpoint/chat", "--json").out)
        (found,) = told.get("objects", [told])
        assert found["unit_cost"]["per_thousand_requests_micros"] > 0, f"weyr {verb}"


def test_the_dashboard_shows_what_there_was(chat: User, found: Prometheus) -> None:
    """Every picture has a line once there is something to draw; the others are named here, with why."""
    asked = f"{_CHAT}/v1/chat/completions"
    nothing = {
        "Errors", "Cold starts", "How long a cold start held a request", "Copies for shadows", "Fallbacks",
        # Weyr's own model server, and accelerators: here is neither.
        "Rows of a batch", "How full batches are", "Time in the model", "Waiting in a replica",
        "Memory of accelerators", "Accelerators at work",
    }  # fmt: skip

    def empty() -> set[str]:
        call(chat.url("inference") + asked, chat.token, {"stream": True, "messages": []})
        return {p.title for p in PANELS if not any(found.values(_as_grafana_asks(q.expr)) for q in p.queries)}

    until(lambda: empty() == nothing, f"the others have lines, and not {empty() ^ nothing}")


def test_what_was_asked_is_in_the_bucket(chat: User) -> None:
    """Without what the file says is not to be written down. A process of the plane that is renewed closes its files,
    and the server carries them over."""
    chat.weyr("server", "renew")
    s3, prefix = chat.s3(), "payloads/seen/chat/version="

    def objects() -> list[str]:
        listed = s3.list_objects_v2(Bucket="seen-lake", Prefix=prefix).get("Contents", [])
        return [s3.get_object(Bucket="seen-lake", Key=each["Key"])["Body"].read().decode() for each in listed]

    until(lambda: len("".join(objects()).splitlines()) >= CALLS, "all of it to be in the bucket")
    text = "".join(objects())
    lines = [json.loads(line) for line in text.splitlines()]
    assert {(line["path"], line["status"]) for line in lines} == {("/v1/chat/completions", 200)}
    assert "one two three" in text
    assert "a secret" not in text
    assert chat.token not in text


def test_the_plane_serves_and_is_scraped_while_the_server_is_down(chat: User, found: Prometheus) -> None:
    """Who is blind in an outage learns of it from users."""
    plane = chat.url("inference")
    asked = f'sum({names.REQUESTS.name}{{endpoint="seen/chat",plane="inference"}})'
    # The server goes first, so that nobody starts anything anew.
    chat.kill("server")
    until(lambda: found.values('up{job="weyr"}') == [0.0], "Prometheus misses the server")
    (before,) = found.values(asked)
    for _ in range(CALLS):
        call(f"{plane}{_CHAT}/v1/chat/completions", chat.token, {"messages": []})
    until(lambda: found.values(asked) == [before + CALLS], "it saw each request")
    assert found.values('up{job="weyr-inference"}') == [1.0]
    chat.weyr("server", "start")


def _as_grafana_asks(expr: str) -> str:
    for variable, value in (("$endpoint", ".*"), ("$version", ".*"), ("$__rate_interval", "1m")):
        expr = expr.replace(variable, value)
    return expr
