"""Is the bill right? Compared with when things ran and what that costs, after an interruption and past a budget."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from one_user import User, until

HOUR_MS = 3_600_000
CPU_MICROS, CPU_SPOT_MICROS, MEMORY_MICROS = 40_480, 12_140, 4_445
"""AWS Fargate per vCPU-hour, the same on spot, and per GiB-hour, in micro-USD: ledger/prices/data/books.yaml."""
SPOT = Path(__file__).with_name("spot.sh")


def test_an_interrupted_job_goes_on_and_both_attempts_are_on_the_bill(user: User) -> None:
    """Notice, checkpoint, kill; the next attempt says where it resumes; the bill is the integral of both."""
    finish = user.folder / "finish"
    user.write(
        f"""\
stack: spot
buckets:
  lake: {{}}
jobs:
  count:
    run: [sh, {SPOT}]
    env: {{FINISH: {finish}}}
    spot: true
    checkpoint: {{bucket: lake, every: 200ms}}
"""
    )
    user.weyr("up", "--yes", "--detach")
    until(lambda: "counting" in user.weyr("logs", "job/count", status=None).out, "the job to run")
    user.weyr("chaos", "reclaim", "job/count", "--notice", "3s")
    until(lambda: user.row("job/count")["outputs"].get("attempt") == 2, "the second attempt to run")
    until(lambda: "resumed at" in user.weyr("logs", "job/count", status=None).out, "the job to say that it resumed")
    finish.touch()
    user.weyr("up", "--yes")

    saved = int(user.weyr("logs", "job/count#1").out.split("saved ")[1].split()[0])
    resumed = int(user.weyr("logs", "job/count#2").out.split("resumed at ")[1].split()[0])
    assert resumed == saved > 0
    assert user.events("spot.notice")
    story = [event["event"] for event in user.events(ref="job/count")]
    assert [word for word in story if word in ("attempt.started", "attempt.ended")] == [
        "attempt.started", "attempt.ended", "attempt.started", "attempt.ended",
    ]  # fmt: skip
    assert "attempt.resumed" in story
    bill = {row["key"]: row["micros"] for row in user.asked("cost", "--by", "thing")["rows"]}
    for attempt in (1, 2):
        ((metered_ms, micros),) = user.rows(
            f"SELECT sum(to_ms - from_ms), sum(micros) FROM journal WHERE stack = 'spot' AND part = '{attempt}'"
        )
        assert metered_ms == pytest.approx(ran_ms(user, f"count#{attempt}"), abs=2)
        assert bill[f"spot:job/count#{attempt}"] == micros == metered_ms * CPU_SPOT_MICROS // HOUR_MS


def ran_ms(user: User, name: str) -> float:
    """For how many milliseconds a task ran, by the record that its wrapper left."""
    folder = user.home / "tasks" / ".archive" / f"spot%3Ajob%2F{name.replace('#', '%23')}"
    end = json.loads((folder / "exit.json").read_text())
    return float(end["ended_at"] - end["started_at"]) * 1000


def test_the_lines_of_the_ledger_add_up_to_what_ran(user: User) -> None:
    """CPU and memory for as long as the process lived, and nothing before or after; no line is lost or doubled."""
    user.up(
        """\
stack: bill
jobs:
  work: {run: sleep 1.5, resources: {cpu: 2, memory: 1GiB}}
"""
    )
    attempt = user.row("job/work")
    bill = user.asked("cost", "--by", "thing")

    (micros,) = [row["micros"] for row in bill["rows"] if row["key"] == "bill:job/work#1"]
    took_ms = attempt["outputs"]["took_s"] * 1000
    assert micros == pytest.approx(took_ms * (2 * CPU_MICROS + MEMORY_MICROS) / HOUR_MS, abs=2)
    lines = user.rows("SELECT sku, sum(micros), sum(to_ms - from_ms) FROM journal WHERE stack = 'bill' GROUP BY sku")
    assert {sku for sku, _, _ in lines} == {"task.cpu", "task.memory"}
    assert sum(line[1] for line in lines) == micros == bill["total_micros"]
    assert all(line[2] == pytest.approx(took_ms, abs=2) for line in lines)
    assert bill["rate_micros_per_hour"] == 0, "nothing runs any more"
    for by in ("stack", "kind", "object", "day"):
        assert sum(row["micros"] for row in user.asked("cost", "--by", by)["rows"]) == micros, by


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server's address, and what was posted to it."""
    posted: list[dict[str, Any]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: what counts is in `posted`."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/alerts", posted
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_spent_budget_stops_what_spends_and_tells_somebody(
    user: User, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    """Past the limit the running job is stopped and held, and the webhook hears of it; a higher limit lets it go on."""
    address, posted = webhook
    text = f"""\
stack: tight
budgets:
  month:
    {{limit: 0.000010 USD, ahead: 0s, alert_at: [50%, 100%], then: stop, above: warn,
     notify: [{{webhook: "{address}"}}]}}
jobs:
  spend: {{run: "while [ ! -e go ]; do sleep 0.05; done"}}
"""
    said = user.up(text, status=1)

    assert "An object is held" in said.err
    assert user.row("job/spend")["phase"] == "held"
    assert "budget/month is spent" in user.message("job/spend")
    until(lambda: len(posted) >= 2, "both alerts to arrive")
    assert sorted(alert["details"]["share"] for alert in posted) == ["100%", "50%"]
    until(lambda: not user.row("job/spend")["things"], "nothing of the job to run")
    assert user.asked("cost")["rate_micros_per_hour"] == 0

    (user.folder / "go").touch()
    user.up(text.replace("0.000010", "1"))
    assert user.row("job/spend")["phase"] == "done"


def test_what_is_asked_of_a_bucket_is_on_the_bill(user: User) -> None:
    """A program that reads in small pieces sees what that would have cost; a budget counts it like everything else."""
    user.up("stack: asked\nbuckets:\n  lake: {}\n")
    folder = user.folder / "many"
    folder.mkdir()
    for number in range(400):
        (folder / str(number)).write_bytes(b"x" * 1000)
    user.weyr("sync", str(folder), "lake:many/")

    def micros() -> int:
        user.look()
        return sum(row["micros"] for row in user.asked("cost", "--by", "object")["rows"])

    until(lambda: micros() >= 400 * 5, "400 writes and a list at 5 millionths each")
    user.weyr("down", "--stack", "asked", "--yes")

    lines = dict(user.rows("SELECT sku, sum(CAST(used AS INTEGER)) FROM journal WHERE stack = 'asked' GROUP BY sku"))
    assert lines["requests.write"] >= 401 * 1000
    assert {row["key"] for row in user.asked("cost", "--by", "sku")["rows"]} >= {"requests.write", "storage.standard"}
    assert lines.get("egress.far", 0) == 0, "it never left this machine"
    assert user.asked("cost")["rate_micros_per_hour"] == 0


def test_the_accounts_are_kept_from_a_shell(user: User) -> None:
    """A bill from outside, a correction, a closed month and what is late for it; then somebody writes the database."""
    bill = ["cost", "post", "--id", "o-1", "--source", "openai", "--sku", "tokens.in", "--stack", "digits",
            "--quantity", "5000000", "--price", "2.50/1000000", "--label", "team=support"]  # fmt: skip
    user.weyr(*bill, "--day", "2025-10-03")
    assert "posted before" in user.weyr(*bill, "--day", "2025-10-03").out
    assert "Something else was posted" in user.weyr(*bill, "--day", "2025-10-04", status=1).err
    user.weyr("cost", "correct", "1", "--amount", "12 USD", "--reason", "a credit note")
    closed = json.loads(user.weyr("cost", "close", "2025-10", "--json").out)
    late = ["cost", "post", "--id", "p-1", "--source", "pinecone", "--stack", "digits", "--day", "2025-10-30"]
    user.weyr(*late, "--amount", "3 USD")

    lines = json.loads(user.weyr("cost", "lines", "--json").out)["lines"]
    assert [line["micros"] for line in lines] == [12_500_000, -12_500_000, 12_000_000, 3_000_000]
    assert (lines[3]["day"], lines[3]["note"]) == ("2025-11-01", "late, of 2025-10-30")
    teams = {row["key"]: row["micros"] for row in user.asked("cost", "--by", "team")["rows"]}
    assert teams == {"support": 12_000_000, "": 3_000_000}
    assert user.asked("cost", "--period", "2025-10")["total_micros"] == 12_000_000
    spread = user.asked("cost", "--by", "team", "--spread")
    assert {row["key"]: row["micros"] for row in spread["rows"]} == {"support": 15_000_000}
    assert closed["lines"] == 3
    assert json.loads(user.weyr("cost", "verify", "--json").out)["lines"] == 4


def test_a_providers_bill_is_reconciled_from_a_shell(user: User) -> None:
    """Shown before anything is posted; posted once, through the same chain; then both agree."""
    spent = ["cost", "post", "--id", "aws-1", "--source", "aws", "--sku", "requests.read", "--quantity", "2000000"]
    user.weyr(*spent, "--amount", "0.80 USD", "--day", "2025-10-03", "--stack", "digits", "--to", "bucket/lake")
    bill = user.folder / "aws.csv"
    columns = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ConsumedQuantity,"
    day = "USD,{},2025-10-03T00:00:00Z,2025-10-04T00:00:00Z"
    tags = '"{""weyr:stack"":""digits"",""weyr:kind"":""bucket"",""weyr:name"":""lake""}"'
    bill.write_text(
        f"{columns}ConsumedUnit,ProviderName,Tags\n"
        f"1.25,{day.format('Usage')},2500000,Requests,AWS,{tags}\n"
        f"0.19,{day.format('Tax')},,,AWS,\n"
    )
    words = ["cost", "reconcile", str(bill), "--to", "shared"]
    told = json.loads(user.weyr(*words, "--json").out)
    assert [(each["object"], each["reasons"]) for each in told["differences"]] == [
        ("digits:bucket/lake", {"price": 250_000, "quantity": 200_000}),
        ("shared:outside/aws", {"tax": 190_000}),
    ]
    assert "3 lines" in user.weyr(*words, "--post", "--yes").out, "the look before had posted nothing"
    assert "Nothing was to be posted" in user.weyr(*words, "--post", "--yes").out
    skus = {row["key"]: row["micros"] for row in user.asked("cost", "--by", "sku")["rows"]}
    assert skus == {"requests.read": 800_000, "bill.requests.price": 250_000, "bill.requests.quantity": 200_000,
                    "bill.other.tax": 190_000}  # fmt: skip
