"""What is asked of every resource of Azure: where it is, that it is never free by mistake, and that it never breaks."""

import ast
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform import azure, estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.resources import Resource, Resources, Sourced, Unknown
from weyr.ledger.terraform.usage import Usage

CATALOGUE = Catalogue.shipped()
KINDS = sorted(kind for kind in estimate.PRICERS if kind.startswith("azurerm_"))


def made(address: str, **values: Any) -> Resource:
    return Resource(address, address.split(".")[0], values, "")


def priced(*resources: Resource, **used: Any) -> Estimate:
    usage = Usage({resources[0].address: used})
    return estimate.estimate(Resources(resources), usage, CATALOGUE, date(2026, 11, 1))


GROUP = made("azurerm_resource_group.g", name="g", location="West Europe")
ACCOUNT = made("azurerm_storage_account.a", name="lake", location="North Europe")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"location": "West US 2"}, "westus2"),
        ({"resource_group_name": "g"}, "westeurope"),
        ({"resource_group_name": Unknown((GROUP.address,))}, "westeurope"),
        ({"resource_group_name": "g", "storage_account_name": Sourced("lake", (ACCOUNT.address,))}, "northeurope"),
        ({"resource_group_name": "another"}, ""),
    ],
)  # fmt: skip
def test_what_says_no_place_is_where_it_belongs(values: dict[str, Any], place: str) -> None:
    """A share is where its account is, which may be elsewhere than their group."""
    share = made("azurerm_storage_share.s", **values)
    assert azure.place_of(Resources((share, GROUP, ACCOUNT)), share) == place


def test_a_region_that_is_asked_for_goes_before_what_is_written() -> None:
    """`--region` prices everything there; Azure's provider itself has none."""
    share = Resource("azurerm_storage_share.s", "azurerm_storage_share", {"location": "West Europe"}, "eastus")
    assert azure.place_of(Resources((share,)), share) == "eastus"


def test_two_that_name_each_other_have_no_place() -> None:
    """A circle ends."""
    one, other = (made(f"azurerm_lb.{a}", rule=Unknown((f"azurerm_lb.{b}",))) for a, b in ("xy", "yx"))
    assert azure.place_of(Resources((one, other)), one) == ""


def test_where_nobody_says_a_place_it_is_told_which_was_taken() -> None:
    found = priced(made("azurerm_redis_cache.r", sku_name="Basic", family="C", capacity=4))
    assert found.notes == ("no provider azurerm says its region; it is priced in eastus (--region)",)
    assert not priced(GROUP).notes


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_that_says_nothing_breaks_nothing(kind: str) -> None:
    """Nothing is known of it before an apply: not its size, nor its group."""
    vague = made(f"{kind}.v", location=Unknown(), sku=Unknown(), sku_name=Unknown(), resource_group_name=Unknown())
    empty, odd = made(f"{kind}.e"), made(f"{kind}.o", sku="x", sku_name="a_b", kind=3, size=[], location="nowhere")
    found = priced(empty, vague, odd)
    assert len(found.priced) + len(found.free) + len(found.unpriced) == 3
    assert found.total >= 0


def _asked(services: set[str]) -> Iterator[str]:
    """Every rate of those services that the modules of Azure write out whole."""
    for file in files(azure.__package__ or "").iterdir():
        if file.name.startswith("azure") and file.name.endswith(".py"):
            tree = ast.parse(file.read_text())
            pieces = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pieces:
                    service, _, name = node.value.partition("/")
                    if name and service in services and not set(" {") & set(node.value):
                        yield node.value


WITHOUT = {"aks/premium", "openai/tool.file_search", "openai/tool.file_search.storage"}
"""Rates that are asked for so that their lines are shown, and that no list with a source has."""


def test_every_rate_that_is_asked_for_is_known_somewhere() -> None:
    """A rate that is misspelt would show as unknown to everybody."""
    known = {f"{service}/{name}" for provider, service, _, name in CATALOGUE.all_rates if provider == "azure"}
    asked = set(_asked({rate.partition("/")[0] for rate in known}))
    assert len(asked) > 60
    assert asked - known == WITHOUT


def test_more_copies_cost_no_less() -> None:
    """What is kept in two regions costs no less than what is kept in one: a list with them crossed would be wrong."""
    for (provider, service, region, name), rate in CATALOGUE.all_rates.items():
        if provider == "azure" and service in ("storage", "files", "tables") and name.endswith(".lrs.stored"):
            twice = CATALOGUE.rate(service, region, name.replace(".lrs.", ".grs."), provider="azure")
            assert twice is None or twice.amount >= rate.amount > Decimal(0)
