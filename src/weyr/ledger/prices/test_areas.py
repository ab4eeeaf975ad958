"""People say Europe where a list says eu-central-1, europe-west4 or germanywestcentral."""

import pytest

from weyr.ledger.prices.areas import area_named, is_within


@pytest.mark.parametrize("region", ["eu-central-1", "europe-west4", "germanywestcentral", "uksouth"])
def test_an_area_has_the_regions_of_every_cloud(region: str) -> None:
    """Whichever way the provider names them."""
    assert is_within(region, area_named("Europe"))
    assert not is_within(region, area_named("asia"))


def test_what_is_no_area_stays_a_regions_name() -> None:
    """A region is taken as it is written."""
    assert area_named("eu-west-1") == "eu-west-1"
    assert area_named("EU") == "eu"
