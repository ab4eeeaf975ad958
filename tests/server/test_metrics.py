"""What Prometheus gets from a real server: text that its own tools read, and figures that are true."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping

import pytest
from inference_plane import THING, plane_and_echo, unix_get
from one_user import User, until
from prometheus_client.parser import text_string_to_metric_families

STACK = """\
stack: metered
price_as: aws/g5.xlarge
buckets:
  lake: {}
jobs:
  hello:
    run: sleep 600
"""

PROMTOOL = shutil.which("promtool")
"""Prometheus' own judge, where it is installed; CI installs it (see `.ci/run`)."""


def scraped(user: User) -> str:
    status, text = user.request("GET", "/metrics")
    assert status == 200, text
    return text


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by name and labels. Raises: ValueError where the text is not Prometheus'."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation, f"{family.name} does not say what it is"
        assert family.type in ("counter", "gauge", "histogram"), family
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} comes twice"
            found[key] = sample.value
    return found


def value(text: str, name: str, labels: Mapping[str, str]) -> float:
    return values(text).get((name, frozenset(labels.items())), 0.0)


def judge(text: str) -> None:
    """Reads it with the Python client's parser, and lets `promtool check metrics` lint it where it is at hand."""
    assert values(text)
    assert PROMTOOL or not os.environ.get("WEYR_REQUIRE_INTEGRATION"), "promtool is not installed"
    if PROMTOOL:
        done = subprocess.run(
            [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_an_empty_server_can_be_scraped(served: User) -> None:
    """A dashboard is set up before the first stack is."""
    text = scraped(served)
    judge(text)
    assert value(text, "weyr_meters_open", {}) == 0
    for plane in ("s3", "inference"):
        until(lambda: value(scraped(served), "weyr_plane_up", {"plane": plane}) == 1, f"{plane} is up")  # noqa: B023


def test_prometheus_is_told_the_format(served: User) -> None:
    """Prometheus 3 goes by the type, and wants the format's version in it."""
    request = urllib.request.Request(served.url() + "/metrics", headers={"Authorization": f"Bearer {served.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_scrape_needs_a_token(served: User) -> None:
    """What a stack is called and what it costs is nobody else's business."""
    assert served.request("GET", "/metrics", token="")[0] == 401


def test_figures_are_those_of_the_stack(served: User) -> None:
    """Objects, things and money as `weyr status` and `weyr cost` tell them."""
    served.write(STACK)
    served.weyr("up", "--yes", "--detach")
    for capability in ("TaskRunner", "ObjectStore"):
        seen = {"capability": capability, "seen": "present"}
        until(lambda: value(scraped(served), "weyr_things", seen) == 1, f"a {capability} holds its thing")  # noqa: B023
    cost = {"stack": "metered", "currency": "USD"}
    until(lambda: value(scraped(served), "weyr_cost_total", cost) > 0, "something was spent")
    working = {"stack": "metered", "kind": "job", "phase": "working"}
    until(lambda: value(scraped(served), "weyr_objects", working) == 1, "the job works")
    text = scraped(served)
    judge(text)
    assert value(text, "weyr_meters_open", {}) >= 2
    assert value(text, "weyr_cost_per_hour", cost) > 0
    told = served.api("GET", "/v1/cost?by=stack")
    assert 0 < value(text, "weyr_cost_total", cost) <= told["total_micros"] / 1e6
    served.weyr("down", "--yes")
    until(lambda: value(scraped(served), "weyr_meters_open", {}) == 0, "every meter stands still")
    text = scraped(served)
    judge(text)
    assert not [name for name, _ in values(text) if name in ("weyr_objects", "weyr_things")]
    assert value(text, "weyr_cost_total", cost) > 0, "what was spent stays spent"


@pytest.mark.parametrize("requests", [0, 3])
def test_the_inference_plane_can_be_scraped(requests: int) -> None:
    """Its text is written by hand, for speed, so it is judged too."""
    with plane_and_echo() as (plane, _):
        for _ in range(requests):
            assert plane.ask(f"/{THING.ref.stack}/{THING.ref.name}/v2")[0] == 200
        text = unix_get(plane.control, "/metrics").decode()
        judge(text)
        labels = {"endpoint": "digits/digits", "version": "1"}
        assert value(text, "weyr_inference_request_duration_seconds_count", labels) == requests
