"""A stack that runs for nobody: what the waste finder says of it, and what becomes of the file and the bill."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from one_user import User, until

CPU_MICROS, MEMORY_MICROS = 40_480, 4_445
"""Fargate's prices of a vCPU and a GiB for an hour, on demand, in millionths of a dollar."""

FILE = """\
# A page that nobody reads.
stack: wasted

services:
  page:
    run: python3 -m http.server $PORT --bind 127.0.0.1   # ours
    replicas: 1
    resources: {cpu: 2, memory: 4GiB}  # to be on the safe side

devs:
  shell: {idle_after: 4d}
"""


def test_what_was_found_is_shown_with_its_price_applied_and_saved(user: User) -> None:
    """Run, be idle, ask, apply: the file keeps its comments, the plan is the price's, and the rate falls."""
    user.up(FILE)

    def found() -> dict[str, dict[str, Any]]:
        answer = user.api("GET", "/v1/advice?stack=wasted&idle=1s")
        listed = [each for each in answer["savings"] if each["ref"] == "service/page" or each["rule"] == "idle-session"]
        return {each["rule"]: each for each in listed}

    until(lambda: {"oversized", "no-traffic", "idle-session"} <= found().keys(), "its use to be measured")
    forgotten = found()["idle-session"]
    assert [(c["path"], c["value"]) for c in forgotten["changes"]] == [(["devs", "shell", "idle_after"], "1h")]
    assert forgotten["micros_per_month"] == CPU_MICROS * 570, "a month's hours but those of a working one"
    smaller = found()["oversized"]
    changes = {change["path"][-1]: change["value"] for change in smaller["changes"]}
    assert set(changes) == {"cpu", "memory"}
    mebibytes = int(changes["memory"].removesuffix("MiB"))
    saved = (2 - changes["cpu"]) * CPU_MICROS + (4 - mebibytes / 1024) * MEMORY_MICROS
    assert smaller["micros_per_month"] == pytest.approx(saved * 730, abs=5 * 730)

    said = user.weyr("cost", "advise", "--idle", "1s").out
    assert "wasted:service/page:oversized" in said
    assert "per month" in said
    assert user.api("GET", "/v1/advice")["savings"] == [], "what began a minute ago is not idle for an hour"

    before = user.api("GET", "/v1/cost")["rate_micros_per_hour"]
    refused = user.weyr("cost", "advise", "--apply", "--idle", "1s", "service/pag", status=1)
    assert "No such finding" in refused.err
    done = user.weyr("cost", "advise", "--apply", "--idle", "1s", "--yes", "service/page").err

    assert "-    resources: {cpu: 2, memory: 4GiB}  # to be on the safe side" in done
    assert "resources.cpu 2 → " in " ".join(done.split())
    assert f"about {2 * CPU_MICROS * 730 / 1e6 + 4 * MEMORY_MICROS * 730 / 1e6:.2f} USD per month" in done
    text = (user.folder / "weyr.yaml").read_text()
    given = re.findall(r"{cpu: ([\d.]+), memory: (\d+)MiB}", text)  # what was measured by then, not by our first look
    assert [(float(cpu) < 2, int(memory) < 4096) for cpu, memory in given] == [(True, True)]
    changed = FILE.replace("{cpu: 2, memory: 4GiB}", f"{{cpu: {given[0][0]}, memory: {given[0][1]}MiB}}")
    changed = changed.replace("    replicas: 1\n", "")
    changed = changed.replace("safe side\n", "safe side\n    scale: {min: 0, max: 1}\n")
    assert text == changed
    until(lambda: user.api("GET", "/v1/cost")["rate_micros_per_hour"] < before / 2, "the large replica to be gone")
    until(lambda: not {"oversized", "no-traffic"} & found().keys(), "nothing to be found of it any more")


def test_what_its_calendar_closes_says_so_and_can_be_woken(user: User) -> None:
    """Nothing of it is on the bill; whoever needs it learns how to have it, and has it."""
    day = (datetime.now(UTC) + timedelta(days=2)).strftime("%a").lower()
    service = f"{{run: sleep 600, listens: false, calendar: {{open: [{day} 00:00-00:01]}}}}"
    user.up(f"stack: closed\nservices:\n  night: {service}\n")

    assert user.row("service/night")["phase"] == "ready"
    assert user.api("GET", "/v1/cost")["rate_micros_per_hour"] == 0
    said = user.weyr("why", "service/night").out
    assert "closed by its calendar until" in said
    assert "weyr wake service/night" in said

    user.weyr("wake", "service/night")

    until(lambda: user.api("GET", "/v1/cost")["rate_micros_per_hour"] > 0, "the service to be woken")
    events = [event["event"] for event in user.api("GET", "/v1/events?ref=service/night")["events"]]
    assert {"service.closed", "order.wake", "service.opened"} <= set(events)
    assert "it is not closed by a calendar" in user.weyr("wake", "service/night", status=1).err
