"""Functions as their callers know them: curl's kind of HTTP, boto3's uploads, and kill -9 at the worst moments."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from one_user import User, until
from user_life import a_user

CODE = [Path(__file__).with_name(name) for name in ("fn_code.py", "fn_upload.py")]
STACK = """\
stack: lab
buckets:
  inbox: {}
  outbox: {}
functions:
  echo:
    handler: fn_code:echo
    payload: 64KiB
    http: {methods: [GET, POST]}
    scale: {max: 3, idle_after: 1s}
  moody:
    handler: fn_code:moody
    time_limit: 2s
    payload: 64KiB
    retries: {max: 2, backoff: 100ms}
    scale: {warm: 1, max: 2}
    dead_letters: letter
    letterbox: {bucket: outbox, prefix: failed/}
  upper:
    run: tr a-z A-Z
  uploaded:
    handler: fn_upload:uploaded
    objects: [{bucket: inbox, prefix: in/, suffix: .txt}]
    reads: [inbox]
    writes: [outbox]
  letter:
    handler: fn_code:letter
  tick:
    handler: fn_code:tick
    schedules: [{cron: "0 0 1 1 *", zone: Europe/Berlin, event: {due: true}}]
"""


class Lab:
    """A user with the functions above."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {user.token}"

    def call(self, path: str, event: Any = None, method: str = "POST", **options: Any) -> requests.Response:
        url = f"{self.user.url('inference')}/lab/{path}"
        return self.session.request(method, url, json=event, timeout=60, **options)

    def later(self, path: str, event: Any, **headers: str) -> str:
        answer = self.call(path, event, headers={"Prefer": "respond-async", **headers})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["result"])

    def result(self, at: str) -> dict[str, Any]:
        """What became of an event, once it is over."""
        url = f"{self.user.url('inference')}{at}"

        def over() -> dict[str, Any]:
            try:
                found: dict[str, Any] = self.session.get(url, timeout=60).json()
            except requests.ConnectionError:
                return {}  # the plane is being started again
            return found if found.get("state") != "waiting" else {}

        return until(over, f"{at} to be over")

    def noted(self, name: str) -> list[str]:
        path = self.user.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with a_user() as user:
        for file in CODE:
            shutil.copy(file, user.folder)
        user.up(STACK)
        yield Lab(user)
        user.weyr("down", "--yes")
        assert user.remains() == []


def test_a_call_wakes_a_sleeping_function_and_is_answered(lab: Lab) -> None:
    """Nothing runs until somebody asks; then the first call is held, not refused, and so are ten at once."""
    assert "Asleep" in lab.user.message("function/echo")

    with ThreadPoolExecutor(10) as callers:
        answers = list(callers.map(lambda n: lab.call(f"echo/items/{n}?page=2", {"n": n}), range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10
    said = [answer.json() for answer in answers]
    assert [each["event"] for each in said] == [{"n": n} for n in range(10)]
    assert said[3]["path"] == "/items/3"
    assert said[3]["query"] == "page=2"
    assert 25 < said[3]["left"] <= 30
    assert 1 <= len({each["pid"] for each in said}) <= 3, "no more instances than max"
    lab.user.until_phase("function/echo", "ready")
    until(lambda: "Asleep" in lab.user.message("function/echo"), "it to fall asleep again")
    assert lab.call("echo", {"n": 1}).status_code == 200, "and to wake up once more"


def test_events_come_as_they_were_sent(lab: Lab) -> None:
    """JSON is a value, everything else is bytes; a command gets it on standard input. Other methods are refused."""
    raw = lab.call("echo", method="POST", data="plain text", headers={"Content-Type": "text/plain"})
    assert raw.json()["event"] == "plain text"
    assert lab.call("echo", method="GET").json()["method"] == "GET"
    assert lab.call("echo", method="PUT").status_code == 405
    assert lab.call("upper", method="POST", data="shout").text == "SHOUT"
    answer = lab.call("moody", {"bytes": 3})
    assert (answer.status_code, answer.text, answer.headers["X-Mood"]) == (201, "xxx", "good")


def test_a_function_that_fails_dies_or_dawdles_is_told_as_that(lab: Lab) -> None:
    """Its caller learns what went wrong, and the next call finds it well."""
    failed = lab.call("moody", {"fails": 9})
    assert (failed.status_code, failed.json()["error"], failed.json()["message"]) == (500, "RuntimeError", "not today")
    assert lab.call("moody", {"dies": 9}).status_code == 502
    late = lab.call("moody", {"sleeps": 60})
    assert (late.status_code, late.json()["error"]) == (504, "TimedOut")
    assert lab.call("moody", {"bytes": 100_000}).json()["error"] == "ResultTooLarge"
    assert lab.call("echo", {"much": "x" * 70_000}).status_code == 413
    assert lab.call("moody", {}).status_code == 201


def test_an_event_for_later_is_tried_again_and_its_answer_kept(lab: Lab) -> None:
    """Who sends an event and goes away finds the answer; the same key twice is the same event."""
    first = lab.later("moody", {"id": "twice", "fails": 1}, **{"Idempotency-Key": "k1"})
    again = lab.later("moody", {"id": "twice", "fails": 1}, **{"Idempotency-Key": "k1"})

    assert first == again
    found = lab.result(first)
    assert (found["state"], found["attempt"], found["status"]) == ("done", 2, 201)
    assert lab.noted("moody").count("twice 1") == 1
    assert lab.noted("moody").count("twice 2") == 1
    delayed = lab.later("echo", {"n": 1}, **{"Weyr-Delay": "500ms"})
    assert lab.result(delayed)["result"]["event"] == {"n": 1}


def test_an_event_that_always_fails_is_told_to_whom_it_may_concern(lab: Lab) -> None:
    """After its last attempt it is dead: kept, counted, and a letter goes to another function."""
    found = lab.result(lab.later("moody", {"id": "hopeless", "fails": 99}))

    assert (found["state"], found["attempt"], found["error"]) == ("dead", 3, "RuntimeError")
    until(lambda: any("hopeless" in line for line in lab.noted("letters")), "the letter to be read")
    assert lab.noted("letters")[-1].startswith("lab/moody 3 RuntimeError")
    s3 = lab.user.s3()

    def boxed() -> list[dict[str, Any]]:
        listed = s3.list_objects_v2(Bucket="lab-outbox", Prefix="failed/").get("Contents", [])
        return [json.loads(s3.get_object(Bucket="lab-outbox", Key=each["Key"])["Body"].read()) for each in listed]

    (letter,) = until(boxed, "a letter in the bucket")
    assert (letter["function"], letter["attempts"], letter["error"]) == ("lab/moody", 3, "RuntimeError")
    assert json.loads(letter["event"])["id"] == "hopeless"
    dead = lab.user.asked("invoke", "function/moody", "--dead")["answer"]["dead"]
    assert json.loads(dead[0]["event"])["id"] == "hopeless"
    revived = lab.call("moody/-/revive")
    assert revived.json() == {"revived": 1}


def test_an_upload_calls_a_function_whatever_is_killed(lab: Lab) -> None:
    """boto3 uploads; plane, host and server are killed between upload and run: every object is seen to all the same.
    What it may not touch, it cannot: it reads the inbox and writes the outbox."""
    s3 = lab.user.s3()
    keys = [f"in/{n}.txt" for n in range(6)]
    for n, key in enumerate(keys):
        s3.put_object(Bucket="lab-inbox", Key=key, Body=b"x" * n)
        if n == 1:
            lab.user.kill("functions")
        if n == 3:
            until(lambda: lab.noted("uploaded"), "the first to be run")
            _kill_hosts(lab.user)
    s3.put_object(Bucket="lab-inbox", Key="in/other.bin", Body=b"x")
    s3.put_object(Bucket="lab-inbox", Key="out/6.txt", Body=b"x")

    def sizes() -> dict[str, int]:
        there = s3.list_objects_v2(Bucket="lab-outbox", Prefix="in/").get("Contents", [])
        return {o["Key"]: int(s3.get_object(Bucket="lab-outbox", Key=o["Key"])["Body"].read()) for o in there}

    until(lambda: len(sizes()) >= len(keys), "every upload to be seen to")
    assert sizes() == {f"{key}.size": n for n, key in enumerate(keys)}


def test_what_was_accepted_survives_every_kill(lab: Lab) -> None:
    """202 is a promise: killed a moment later, plane and server lose nothing, and calls are held meanwhile."""
    lab.user.kill("server")
    at = [lab.later("echo", {"n": n}) for n in range(5)]
    lab.user.kill("functions")
    lab.user.weyr("up", "--yes")

    assert [lab.result(each)["result"]["event"]["n"] for each in at] == list(range(5))
    assert lab.call("echo", {"n": 9}).status_code == 200


def test_a_schedule_is_an_event(lab: Lab) -> None:
    """It carries what the file says, and a name of its own, so that it is not run twice."""
    store = lab.user.home / "events" / "events.db"
    # The last firing was long ago, as if the machine had been off: it is made up for once. No plane may begin before.
    os.kill(lab.user.pid("server"), signal.SIGSTOP)
    lab.user.kill("functions")
    with sqlite3.connect(store, timeout=60) as db:
        db.execute("UPDATE schedules SET fired_at = fired_at - 63200000 WHERE function = 'lab/tick'")
    db.close()
    os.kill(lab.user.pid("server"), signal.SIGCONT)

    until(lambda: lab.noted("ticks"), "the schedule to fire")
    assert [line.rsplit(" ", 1)[0] for line in lab.noted("ticks")] == ["{'due': True} schedule"]


def test_what_happened_is_shown(lab: Lab) -> None:
    """Counts, times and cold starts by `weyr describe` and for Prometheus; each line of a log names its event."""
    done = lab.call("echo", {"n": 1})
    # Before the next call: if that finds it asleep, its log is another one.
    line = f"[{done.headers['weyr-request-id']}] echo of dict"
    until(lambda: line in lab.user.weyr("logs", "function/echo").out, "what it printed to be in its log")
    said = json.loads(lab.user.weyr("invoke", "function/echo", "--data", '{"n": 2}').out)
    assert said["event"] == {"n": 2}
    failed = lab.user.weyr("invoke", "function/moody", "--data", '{"fails": 9}', status=1)
    assert "RuntimeError: not today" in failed.err
    until(lambda: lab.user.row("function/echo")["outputs"]["invocations"] > 0, "invocations to be shown")
    outputs = lab.user.row("function/echo")["outputs"]
    assert outputs["cold_starts"] >= 1
    assert outputs["cold_p50_ms"] > 0
    metrics = lab.user.request("GET", "/metrics")[1]
    assert 'weyr_function_invocations_total{function="lab/echo"}' in metrics
    assert 'weyr_function_cold_seconds{function="lab/echo",quantile="0.5"}' in metrics


def test_calls_are_counted_for_what_they_cost(lab: Lab) -> None:
    """Of all calls before, planes and hosts killed in between: a thousand invocations have a price."""

    def invoked() -> list[dict[str, Any]]:
        rows = lab.user.asked("cost", "units")["rows"]
        return [row for row in rows if row["key"] == "lab:function/echo" and row["requests"] >= 14]

    (row,) = until(invoked, "invocations to be counted")
    assert row["per_thousand_requests_micros"] == 1000 * row["micros"] // row["requests"]


def _kill_hosts(user: User) -> None:
    for pid, command in user.processes().items():
        if "weyr.runtime.function" in command and "uploaded" in command:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
