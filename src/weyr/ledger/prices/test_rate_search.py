"""Who asks for a price by a few words gets those prices, or hears what would have been right."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.ledger.prices import Catalogue, Purchase
from weyr.ledger.prices.rate_search import find_rates, is_of_rates
from weyr.ledger.prices.search import Wish, elsewhere, find

SHIPPED = Catalogue.shipped()


@pytest.mark.parametrize(
    ("words", "is_rates"),
    [(("s3",), True), (("S3", "glacier"), True), (("egress",), True), (("storage",), True), (("p5",), False),
     (("A100",), False), (("m5",), False), ((), False), (("nothing",), False)],
)  # fmt: skip
def test_a_word_is_a_service_what_it_asks_for_or_a_machine(words: tuple[str, ...], is_rates: bool) -> None:
    """`p5` is a machine, though SageMaker has rates of it; what S3 and others ask for is found by its own word."""
    assert is_of_rates(SHIPPED, words) == is_rates


def test_a_word_beside_the_service_chooses_among_its_rates() -> None:
    """Whoever asks for one storage class in one region reads five rows, and not two thousand."""
    found = find_rates(SHIPPED, ("s3", "glacier_instant"), region="eu-west-1")

    assert [rate.name.rpartition(".")[2] for rate in found] == ["get", "put", "retrieval", "storage", "transition"]
    assert {(rate.provider, rate.region) for rate in found} == {("aws", "eu-west-1")}
    assert {rate.provider for rate in find_rates(SHIPPED, ("egress",), region="eu")} == {"aws", "azure", "gcp"}


@pytest.mark.parametrize(
    ("words", "region", "told"),
    [(("s3", "glacir"), "", 'Did you mean "glacier"'), (("s3",), "Ireland", "AWS calls that region eu-west-1"),
     (("s3",), "eu-wst-1", "Areas: us"), (("s3", "egress"), "me-south-1", "It is known in ap-northeast-1")],
)  # fmt: skip
def test_what_finds_nothing_says_what_would(words: tuple[str, ...], region: str, told: str) -> None:
    """An empty table answers nobody."""
    with pytest.raises(UserError) as refused:
        find_rates(SHIPPED, words, region=region)
    assert told in refused.value.diagnostics[0].detail


def test_a_machine_that_cannot_be_had_so_is_told_how_it_can() -> None:
    """Google sells A4 by the year only, and H200s are in few regions."""
    a4 = Wish(("a4-highgpu-8g",))
    assert find(SHIPPED, a4) == []
    assert elsewhere(SHIPPED, a4) == "It is known for a year (--reserved 1) and for three (--reserved 3)."
    h200 = elsewhere(SHIPPED, Wish(("H200",), region="eu-west-1", purchase=Purchase.ON_DEMAND))
    assert h200.startswith("It is known in us-east-1, us-east-2, ")
