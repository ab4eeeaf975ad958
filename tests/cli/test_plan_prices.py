"""What `weyr plan` says of money over a real data folder, with no server: use that is told, budgets it may pass."""

import json

from cli_shell import Shell

from weyr.core.metering import Meter
from weyr.core.ref import Ref, ThingId
from weyr.ledger.journal import post
from weyr.ledger.prices import Catalogue

STACK = """stack: priced
budgets:
  month: {limit: 1 USD}
jobs:
  train: {run: "true", expected_duration: 1h, resources: {cpu: 2, memory: 1GiB}}
"""


def test_told_use_changes_the_price_and_a_budget_is_passed_only_where_that_is_allowed(shell: Shell) -> None:
    """A run costs little and thirty do not: whoever knows how often it runs learns it before the bill."""
    (shell.folder / "weyr.yaml").write_text(STACK)
    (shell.folder / "usage.yaml").write_text("job/train: {runs: 30}\n")

    plain = shell.weyr("plan", "--json")
    told = shell.weyr("plan", "--usage", "usage.yaml", "--json")
    allowed = shell.weyr("plan", "--usage", "usage.yaml", "--over-budget", "--format", "markdown")

    once, often = (json.loads(said.out)["cost"] for said in (plain, told))
    assert (plain.status, allowed.status) == (0, 0), (plain.err, allowed.err)
    assert told.status == 1
    assert "weyr up --over-budget" in told.err
    assert often["one_run"]["micros"] == once["after"]["micros"]
    assert often["after"]["micros"] == 30 * once["after"]["micros"] == 30 * _posted(once["objects"][0]["lines"])
    assert often["budgets"][0]["left_micros"] == 1_000_000
    assert allowed.out.startswith("### Weyr: stack `priced` +2.56 USD per month")
    assert "| `job/train` | runs | 30 | from usage.yaml:1 |" in allowed.out


def _posted(lines: list[dict[str, float]]) -> int:
    """What the ledger posts if it runs as the plan's lines say."""
    micros = 0
    for line in lines:
        sku, until_ms = str(line["sku"]), round(line["hours"] * 3_600_000)
        meter = Meter(
            ThingId(Ref("priced", "job", "train"), "1"), sku, "aws/fargate",
            Catalogue.shipped().price("aws/fargate", sku), 0, quantity=int(line["quantity"]), run_since_ms=0,
        )  # fmt: skip
        micros += sum(posted.micros for posted in post(meter, until_ms, is_last=True)[1])
    return micros
