"""What a new user does first: up, ask the endpoint, down; and the same again."""

import json
import subprocess
from pathlib import Path

from one_user import User
from stacks import SMALL, serving

from weyr.reconcile.tick.recording import SETTLED_LOOK_S


def test_a_stack_comes_up_answers_and_goes_without_a_trace(user: User, model_folder: Path) -> None:
    """One command brings all of it up; the curl line it prints works as printed; one command removes it."""
    said = user.up(serving(model_folder))

    rows = {row["ref"]: row["phase"] for row in user.asked("get")["objects"]}
    assert rows == {"bucket/lake": "ready", "job/train": "done", "model/sorter": "ready", "endpoint/sorter": "ready"}
    curl = next(line.strip() for line in said.out.splitlines() if line.strip().startswith("curl "))
    answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, timeout=90, check=True)
    assert json.loads(answer.stdout)["outputs"][0]["data"] == [0], curl
    assert "loss" in said.out, "the run's curve is drawn"
    assert f"{user.url()}/docs" in said.out
    runs = user.asked("runs", "--stack", "whole")["runs"]
    assert [(run["status"], run["metrics"]["accuracy"]) for run in runs] == [("FINISHED", 0.97)]
    assert "accuracy" in user.weyr("runs", runs[0]["run_id"]).out
    told = {event["event"]: event["at"] for event in user.events()}
    waited_s = told["gate.passed"] - told["attempt.ended"]
    assert waited_s < SETTLED_LOOK_S, "the gate did not wait for the loop's slow look"

    told = user.asked("cost", "units")
    (served,) = told["rows"]
    assert told["is_fresh"], "who asks sees what was answered just now, not what was counted half a minute ago"
    assert served["key"] == "whole:endpoint/sorter"
    assert served["requests"] == 1, "the line that was printed; what `weyr up` asked about the model is no prediction"
    assert served["per_thousand_requests_micros"] == 1000 * served["micros"] // served["requests"] > 0
    (trained,) = user.asked("cost", "units", "--by", "run")["rows"]
    assert (trained["key"], trained["task"]) == (runs[0]["run_id"], "whole:job/train#1")
    (version,) = user.asked("cost", "units", "--by", "model")["rows"]
    assert (version["key"], version["micros"]) == ("whole-sorter@1", trained["micros"])
    by_model = {row["key"]: row["micros"] for row in user.asked("cost", "--by", "model")["rows"]}
    assert by_model["sorter"] >= trained["micros"] + served["micros"] > served["micros"], "training and serving"

    assert "whole is gone" in user.weyr("down", "--yes").out
    assert user.remains() == []


def test_going_down_twice_is_harmless_and_up_again_begins_anew(user: User) -> None:
    """The second removal finds nothing to do; the stack comes up again as it did the first time."""
    user.up(SMALL)
    user.weyr("down", "--yes")

    assert "Nothing of small is there" in user.weyr("down", "--yes").err
    assert user.remains() == []

    user.up()
    assert user.row("job/hello")["phase"] == "done"
    assert user.weyr("logs", "job/hello").out == "hello from hello\n"
    assert user.asked("down", "--yes")["outcome"] == "gone"


def test_the_plan_says_by_its_exit_code_whether_anything_would_change(user: User) -> None:
    """0: nothing to do. 2: there are changes. 1: the file is broken, and nothing was stored of it."""
    user.write(SMALL)
    assert user.weyr("plan", "--exit-code", status=2).out.count("+ ") == 2
    user.up()

    user.weyr("plan", "--exit-code", status=0)
    user.write(SMALL + "    env: {GREETING: hi}\n")
    assert "~ job/hello" in user.weyr("plan", "--exit-code", status=2).out
    user.write(SMALL + "    sise: 3\n")
    assert "weyr.yaml:7" in user.weyr("plan", "--exit-code", status=1).err


def test_a_saved_plan_is_carried_out_once_and_refused_after_the_world_moved(user: User) -> None:
    """What was read and agreed to is what happens, or nothing does."""
    user.write(SMALL)
    user.weyr("plan", "--out", "first.plan")
    user.weyr("apply", "first.plan", "--yes")
    user.write(SMALL.replace("lake: {}", "lake: {}\n  pond: {}"))
    user.weyr("plan", "--out", "second.plan")
    user.up(SMALL + "    env: {GREETING: hi}\n")

    refused = user.weyr("apply", "second.plan", "--yes", status=1)

    assert "Try: weyr plan" in refused.err
    assert user.row("bucket/pond") == {}, "nothing was changed"


def test_needs_come_first_the_rest_side_by_side_and_a_failure_stops_nobody_else(user: User) -> None:
    """Two jobs that wait for each other's file both end, so they ran at once; a third fails alone."""
    meet = "touch $WEYR_JOB.here; for i in $(seq 1200); do [ -e {0}.here ] && exit 0; sleep 0.05; done; exit 1"
    said = user.up(
        f"""\
stack: fork
buckets:
  lake: {{}}
jobs:
  left: {{run: "{meet.format("right")}", reads: [lake]}}
  right: {{run: "{meet.format("left")}", reads: [lake]}}
  wrong: {{run: "echo the reason; exit 3"}}
""",
        status=1,
    )

    assert "job/wrong" in said.err
    assert "exit code 3" in said.err
    assert {ref: user.row(ref)["phase"] for ref in ("bucket/lake", "job/left", "job/right", "job/wrong")} == {
        "bucket/lake": "ready", "job/left": "done", "job/right": "done", "job/wrong": "failed",
    }  # fmt: skip
    at = {(e["ref"], e["event"]): e["at"] for e in user.events()}
    assert at["bucket/lake", "phase.ready"] <= at["job/left", "attempt.started"]
