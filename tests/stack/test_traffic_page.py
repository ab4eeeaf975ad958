"""Every endpoint on the page about traffic is one that plans."""

import re
from pathlib import Path
from textwrap import indent

import pytest
from known_kinds import KINDS

from weyr.core.diagnostic import Severity
from weyr.ledger.prices import Catalogue
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World

PAGE = Path(__file__).parents[2] / "docs/concepts/traffic.md"
ENDPOINTS = dict(re.findall(r"^## (\w+)\n(?:(?!^## ).)*?```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL | re.M))
AROUND = "stack: shop\nmodels: {rank: {}}\nsecrets: {openai: {}}\nendpoints:\n  small: {model: rank@production}\n"
BOOKS = Catalogue.shipped().books


@pytest.mark.parametrize("title", ["Weights", "Rules", "Sticky", "Canary", "Shadow", "Fallback", "Limits"])
def test_its_endpoints_plan(title: str) -> None:
    """People copy from it: each block is whole, and nothing in it is refused or warned of."""
    stack = parse_stack(AROUND + indent(ENDPOINTS[title], "  "), PAGE.name, KINDS, price_lists=BOOKS)
    plan = make_plan(stack, World(stack.name), KINDS, BOOKS[stack.price_as])
    said = [finding for finding in plan.findings if "endpoint/" in str(finding.ref)]

    assert [finding for finding in said if finding.severity is not Severity.INFO] == []
