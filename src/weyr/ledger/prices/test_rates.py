"""A month of a service costs what its price list says, to the millionth, tiers and free part and all."""

from decimal import Decimal

import pytest

from weyr.ledger.prices.rates import Rate, parse_rates, price_of


def rate(tiers: str, free: int = 0) -> Rate:
    return Rate("aws", "s3", "us-east-1", "egress", "GB", price_of(tiers, Decimal(free)), "a list", "2026-01-01")


@pytest.mark.parametrize(
    ("quantity", "micros"),
    [(0, 0), (1, 90_000), (10_240, 921_600_000), (10_241, 921_685_000), (60_000, 5_019_200_000)],
)  # fmt: skip
def test_each_tier_holds_for_what_lies_in_it(quantity: int, micros: int) -> None:
    """A tier's amount holds for its own units only, not for all of them at once."""
    assert rate("0.09 to 10240; 0.085 to 51200; 0.07").cost_micros(quantity) == micros


def test_what_is_free_comes_off_only_where_nothing_else_uses_it() -> None:
    """The free part is the account's, not each resource's: counted per resource it would be given away many times."""
    egress = rate("0.09 to 10240; 0.085", free=100)

    assert egress.cost_micros(150) == 13_500_000
    assert egress.cost_micros(150, with_free=True) == 4_500_000
    assert egress.cost_micros(50, with_free=True) == 0


def test_an_amount_below_a_millionth_is_not_lost() -> None:
    """A request costs 0.4 millionths: rounded for each, a million of them would cost nothing or more than twice."""
    assert rate("0.0000004").cost_micros(1_000_000) == 400_000
    assert rate("0.0000004").cost_micros(1) == 0
    assert rate("0.0000004").cost_micros(2) == 1


def test_a_file_of_rates_names_its_sources_once() -> None:
    """The file stays small, and every rate can be looked up."""
    text = """# AWS
provider,service,region,name,unit,tiers,free,source,dated
aws,s3,us-east-1,egress,GB,0.09 to 10240; 0.085,100,list,2026-01-01
"""
    (read,) = parse_rates(text, {"list": "AWS price list, as read"})

    assert read == Rate(
        "aws", "s3", "us-east-1", "egress", "GB", price_of("0.09 to 10240; 0.085", "100", tally="aws s3 egress"),
        "AWS price list, as read", "2026-01-01",
    )  # fmt: skip
    assert (read.amount, read.free) == (Decimal("0.09"), Decimal(100))
    assert [(step.amount, step.up_to) for step in read.steps] == [(Decimal("0.09"), 10_240), (Decimal("0.085"), None)]


def test_a_row_holds_in_each_of_its_regions() -> None:
    """Most regions of a cloud ask the same for a request: it is written down once, and looked up in each of them."""
    head = "provider,service,region,name,unit,tiers,free,source,dated\n"
    rows = "aws,kms,,key,x,1,,y,2026-01-01\naws,s3,eu-west-1 us-west-2,put,x,1,,y,2026-01-01"
    everywhere, *some = parse_rates(head + rows)

    assert everywhere.region == ""
    assert [each.region for each in some] == ["eu-west-1", "us-west-2"]


@pytest.mark.parametrize("tiers", ["0.09 to 10", "0.09; 0.08", "0.09 to 10; 0.08 to 10; 0.07", "-0.09"])
def test_tiers_that_cannot_be_are_refused(tiers: str) -> None:
    """A gap or a loop in the tiers would price some quantity at nothing."""
    with pytest.raises(AssertionError):
        rate(tiers)
