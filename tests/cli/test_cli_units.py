"""What one of something costs, asked at a shell: answers, tokens, training runs, versions of models and of data."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from weyr.cli.program import run
from weyr.compose.local import open_weyr
from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.core.route_usage import OUTSIDE, SERVED, TOKENS_IN, TOKENS_OUT
from weyr.ledger.prices import CPU
from weyr.tracking.entities import Dataset, DatasetInput, RunStatus, Tag

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""
HOUR = 40_480
"""Millionths for a vCPU of aws/fargate for an hour."""
CHAT, TRAIN = Ref("digits", "endpoint", "chat"), Ref("digits", "job", "train")

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An endpoint that answered for an hour, and two attempts of a job with three runs."""
    path = tmp_path_factory.mktemp("units") / "home"
    weyr = open_weyr(path, time.time, lambda _event, /, **_fields: None, is_serving=False)
    counts = {SERVED: 2000, TOKENS_IN: 600_000, TOKENS_OUT: 100_000, OUTSIDE: 9_520}
    end = NOON + 3600
    used = [Usage("1", CPU, 1000, NOON, end), *(Usage("route", sku, n, NOON) for sku, n in counts.items())]
    with weyr.db.write() as connection:
        weyr.ledger.read(connection, CHAT, used, "aws/fargate", end)
        for part in ("1", "2"):
            weyr.ledger.read(connection, TRAIN, [Usage(part, CPU, 1000, NOON, end)], "aws/fargate", end)
            weyr.ledger.close(connection, TRAIN, part, end)
    log = weyr.tracking.run_log
    experiment = weyr.tracking.experiments.create("digits/train", "", ())
    pixels = DatasetInput(Dataset("pixels", "8f3a", "local", "{}"))
    for name, part, from_s, to_s in (("a", "1", 0, 900), ("b", "1", 900, 3600), ("c", "2", 0, 3600)):
        began = int(1000 * (NOON + from_s))
        made = log.create(experiment, name, "", began, (Tag("team", "vision"),), f"task:digits:job/train#{part}")
        id = made.head.run_id
        log.log_inputs(id, (pixels,) if name != "b" else (), ())
        log.update(id, RunStatus.FINISHED, int(1000 * (NOON + to_s)), "", "")
    weyr.tracking.registry.create("digits", "", ())
    weyr.tracking.versions.create("digits", "s3://lake/model", id, "", "", "", (), "")
    log.create(experiment, "by hand", "", int(1000 * NOON), (), "")
    weyr.db.close()
    return path


@pytest.fixture
def units(home: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(*words: str) -> list[dict[str, Any]]:
        assert run(["--home", str(home), "cost", "units", *words, "--json"]) == 0
        answer: Mapping[str, Any] = json.loads(capsys.readouterr().out)
        return list(answer["rows"])

    return ask


def test_answers_and_tokens_carry_what_the_endpoint_cost(units: Ask) -> None:
    """Its replica's hour and what others were paid, over 2,000 answers, and over 600,000 tokens read and 100,000
    written, each of which counts as four."""
    (row,) = units("--period", "2026-11")
    assert (row["key"], row["micros"], row["requests"]) == ("digits:endpoint/chat", HOUR + 9_520, 2000)
    assert row["per_thousand_requests_micros"] == 25_000
    assert (row["per_million_tokens_in_micros"], row["per_million_tokens_out_micros"]) == (50_000, 200_000)
    (alike,) = units("--weight", "1")
    assert alike["per_million_tokens_in_micros"] == alike["per_million_tokens_out_micros"] == 71_428
    assert units("--stack", "other") == units("--period", "2026-10") == []


def test_a_training_run_costs_its_part_of_its_task(units: Ask) -> None:
    """Two runs of one attempt share it by their time; one that nobody's task logged has no cost here."""
    rows = {row["name"]: row["micros"] for row in units("--by", "run")}
    assert rows == {"a": HOUR // 4, "b": HOUR * 3 // 4, "c": HOUR}


def test_versions_cost_what_made_them_and_what_learned_from_them(units: Ask) -> None:
    """By version of the data, of the model, and by experiment."""
    (data,) = units("--by", "dataset")
    assert (data["key"], data["runs"], data["micros"]) == ("pixels@8f3a", 2, HOUR + HOUR // 4)
    (model,) = units("--by", "model")
    assert (model["key"], model["micros"]) == ("digits@1", HOUR)
    (experiment,) = units("--by", "experiment")
    assert (experiment["key"], experiment["runs"], experiment["per_run_micros"]) == ("digits/train", 3, 2 * HOUR // 3)


def test_it_is_a_table_for_people(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the counts that the prices were made of."""
    assert run(["--home", str(home), "cost", "units"]) == 0
    said, told = capsys.readouterr()
    assert "As of the server's last look" in told, "nobody who could read the counters now runs"
    assert "PER 1,000 ANSWERS" in said
    assert "600,000" in said
    assert run(["--home", str(home), "cost", "units", "--by", "runs"]) == 1
    assert 'Did you mean "run"' in capsys.readouterr().err
