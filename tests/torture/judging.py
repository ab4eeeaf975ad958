"""Did the demo end as it should? Every promise held against what is there, and against other records than our own."""

import json
import time
from collections import defaultdict
from typing import Any
from urllib.parse import unquote

from digits_play import EPOCHS, Play
from one_user import until
from victims import Victim
from watching import overlaps, spans_of

PHASES = {"bucket/lake": "ready", "job/train": "done", "model/digits": "ready", "endpoint/digits": "ready",
          "budget/month": "ready"}  # fmt: skip
ROUNDING_MS = 2
GONE_WITHIN_S = 90.0
UNMETERED_MAX_S = 5.0
"""What may run before the wrapper notes the start: only where it was killed in that very moment."""


def judge_standing(play: Play) -> None:
    """The stack stands, has learned, answers, and every acknowledged object is there."""
    user = play.user
    objects = {str(row["ref"]): row for row in user.asked("get", "--stack", "digits")["objects"]}
    phases = {ref: objects.get(ref, {}).get("phase") for ref in PHASES}
    if phases != PHASES:
        play.problems.append(f"the stack does not stand as it should: {phases}")
    spans = spans_of(play.record)
    if sum(span.code == 0 for span in spans) < 1:
        play.problems.append("no attempt ever said that it ended well")
    _judge_runs(play)
    play.problems += [f"{key}: not what was acknowledged" for key in play.writer.lost()]
    if play.writer.acknowledged < 20:
        play.problems.append(f"the writer only got {play.writer.acknowledged} acknowledgements; it proves little")
    if not play.reader.answers:
        play.problems.append("the endpoint never answered the reader")


def _judge_runs(play: Play) -> None:
    """One run is finished, with every epoch once and an accuracy that passes; none is left running."""
    runs = play.user.asked("runs", "--stack", "digits")["runs"]
    finished = [run for run in runs if run["status"] == "FINISHED"]
    if not finished or any(run["status"] == "RUNNING" for run in runs):
        play.problems.append(f"the runs are {[run['status'] for run in runs]}")
        return
    if finished[0]["metrics"].get("accuracy", 0) < 0.95:
        play.problems.append(f"the accuracy is {finished[0]['metrics'].get('accuracy')}")
    history = play.user.asked("runs", finished[0]["run_id"])["history"]
    steps = sorted({step for step, *_ in history["loss"]})
    if steps != list(range(1, EPOCHS + 1)):
        play.problems.append(f"the run's epochs are {steps}")


def judge_ended(play: Play) -> None:
    """Nothing is left, nothing ran twice, and the bill is what the wrappers wrote down."""
    ended = time.monotonic()
    until(lambda: not play.user.remains() or time.monotonic() > ended + GONE_WITHIN_S, "nothing to be left")
    play.problems += [f"left behind: {what}" for what in play.user.remains()]
    play.problems += overlaps(play.record)
    ends = _ends(play)
    _judge_bill(play, ends)
    _judge_attempts(play, ends)


def _ends(play: Play) -> dict[str, dict[str, Any]]:
    """task id → the end that its wrapper recorded, or whoever found it dead."""
    archive = play.user.home / "tasks" / ".archive"
    return {unquote(folder.name): json.loads((folder / "exit.json").read_text()) for folder in archive.iterdir()}


def _judge_bill(play: Play, ends: dict[str, dict[str, Any]]) -> None:
    rows = play.user.rows(
        "SELECT kind, name, part, sku, sum(to_ms - from_ms) FROM journal WHERE kind IN ('job', 'endpoint') "
        "AND sku LIKE 'task.%' GROUP BY kind, name, part, sku"
    )
    metered: dict[str, dict[str, int]] = defaultdict(dict)
    for kind, name, part, sku, ms in rows:
        metered[f"digits:{kind}/{name}#{part}"][sku] = ms
    for task, end in ends.items():
        ran_ms = (end["ended_at"] - end["started_at"]) * 1000 if end.get("started_at") else 0.0
        skus = metered.pop(task, {})
        if ran_ms and len(skus) != 2:
            play.problems.append(f"{task} ran {ran_ms:.0f} ms and has the lines {skus}")
        play.problems += [
            f"{task}: {sku} says {ms} ms, its record {ran_ms:.1f} ms"
            for sku, ms in skus.items()
            if abs(ms - ran_ms) > ROUNDING_MS
        ]
    if metered:
        play.problems.append(f"the bill has what no record tells of: {dict(metered)}")


def _judge_attempts(play: Play, ends: dict[str, dict[str, Any]]) -> None:
    """What the training says of itself lies within what its wrapper says of it, and so on the bill."""
    for span in spans_of(play.record):
        end = ends.get(span.task)
        if end is None:
            play.problems.append(f"{span.task} ran, and there is no record of its end")
        elif end.get("started_at") is None:
            wrappers = [k for k in play.killed if k.moment.victim in (Victim.WRAPPER, Victim.TASK)]
            if span.last - span.began > UNMETERED_MAX_S or not wrappers:
                play.problems.append(f"{span.task} ran {span.last - span.began:.2f} s, and no start is recorded")
        elif not end["started_at"] <= span.began <= span.last <= end["ended_at"] + 0.05:
            play.problems.append(f"{span} is not within the record {end['started_at']} to {end['ended_at']}")
