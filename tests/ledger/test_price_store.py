"""Prices that were read in hold until others do, and those of before stay readable."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from weyr.compose.price_sources import server_of
from weyr.compose.price_store import HeldPrices, catalogue_at, catalogue_of, hold_shipped, keep
from weyr.core.diagnostic import UserError
from weyr.ledger.prices import Catalogue

SHIPPED = Catalogue.shipped()
ROW = "aws,s3,,a thing,hour,1,,a list,2026-01-01\n"
RATES = "provider,service,region,name,unit,tiers,free,source,dated\n"


def with_rate(amount: str) -> dict[str, str]:
    return {**SHIPPED.texts, "rates-z.csv": RATES + ROW.replace(",1,,", f",{amount},,")}


def test_what_was_kept_last_holds_and_all_of_it_stays(tmp_path: Path) -> None:
    """A plan of last month carries last month's version: it can be priced again to the same amounts."""
    first, second = keep(tmp_path, with_rate("1")), keep(tmp_path, with_rate("2"))

    assert catalogue_at(tmp_path).version == second.version
    before = catalogue_of(tmp_path, first.version)
    assert before is not None
    rate = before.rate("s3", "us-east-1", "a thing")
    assert rate is not None
    assert rate.amount == 1
    assert len({SHIPPED.version, first.version, second.version}) == 3


def test_the_shipped_prices_hold_where_nothing_was_read(tmp_path: Path) -> None:
    """And again once somebody asks for them; what was read stays."""
    assert catalogue_at(tmp_path) is SHIPPED
    kept = keep(tmp_path, with_rate("1"))
    hold_shipped(tmp_path)

    assert catalogue_at(tmp_path) is SHIPPED
    assert catalogue_of(tmp_path, kept.version) is not None
    assert catalogue_of(tmp_path, SHIPPED.version) is SHIPPED


def test_a_server_sees_a_refresh_without_a_restart(tmp_path: Path) -> None:
    """The command and the server share a folder: the next plan is made with what the list says now."""
    held = HeldPrices(tmp_path)
    assert held.catalogue is SHIPPED
    kept = keep(tmp_path, with_rate("1"))
    assert held.catalogue.version == kept.version
    assert held.catalogue is held.catalogue

    (tmp_path / "prices" / "current").write_text("0" * 16)
    assert held.catalogue.version == kept.version, "what cannot be read changes nothing"
    hold_shipped(tmp_path)
    assert held.catalogue is SHIPPED


def test_changed_files_are_no_longer_that_version(tmp_path: Path) -> None:
    """Nobody is billed by a file that was edited: the version is a hash, and the reader is told what to do."""
    kept = keep(tmp_path, with_rate("1"))
    (tmp_path / "prices" / kept.version / "rates-z.csv").write_text(RATES + ROW.replace(",1,,", ",9,,"))

    assert catalogue_of(tmp_path, kept.version) is None
    with pytest.raises(UserError) as refused:
        catalogue_at(tmp_path)
    assert refused.value.diagnostics[0].suggestion == "weyr prices refresh --shipped"


def test_two_who_read_the_same_list_at_once_are_both_right(tmp_path: Path) -> None:
    """Two terminals refresh: neither fails, and nothing half-written is left."""
    with ThreadPoolExecutor(8) as pool:
        kept = {each.version for each in pool.map(lambda _: keep(tmp_path, with_rate("3")), range(8))}

    assert {entry.name for entry in (tmp_path / "prices").iterdir()} == {*kept, "current"}
    assert catalogue_at(tmp_path).version in kept


@pytest.mark.parametrize("version", ["", "../../etc", "0" * 16])
def test_an_unknown_version_is_none(tmp_path: Path, version: str) -> None:
    """Also where it is no name of a version at all: it never leaves the folder."""
    assert catalogue_of(tmp_path, version) is None


def test_the_next_page_is_asked_of_the_same_server_only() -> None:
    """Azure's next page names its port, which is still Azure; a page of somebody else is not followed."""
    first = server_of("https://prices.azure.com/api/retail/prices?$filter=x")

    assert server_of("https://prices.azure.com:443/api/retail/prices?$skip=100") == first
    assert server_of("https://prices.azure.example/api/retail/prices?$skip=100") != first
    assert server_of("http://prices.azure.com/api/retail/prices?$skip=100") != first
