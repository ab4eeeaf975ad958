"""A bill is read by what is in it, and what nobody can have meant is said before anything is reckoned."""

import gzip
from pathlib import Path

import pytest

from weyr.cli.bill_files import read_bill
from weyr.core.diagnostic import UserError

HEADS = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName,SkuId,Tags"
ROW = "{},USD,Usage,2026-11-02T00:00:00Z,2026-11-03T00:00:00Z,AWS,sku,{{}}"
TEXT = f"{HEADS}\n{ROW.format('2.40')}\n".encode()


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "packed under a plain name": ("bill.csv", gzip.compress(TEXT)),
        "unpacked by a browser": ("bill.csv.gz", TEXT),
        "with the mark that Excel begins with": ("bill.csv", b"\xef\xbb\xbf" + TEXT),
    }.values(),
)
def test_a_bill_is_packed_where_it_begins_so(tmp_path: Path, name: str, data: bytes) -> None:
    """Whoever loaded it has no say in what a browser or a mail program makes of it."""
    (tmp_path / name).write_bytes(data)
    assert read_bill(tmp_path / name).rows == 1


def test_the_same_part_twice_is_owed_once_or_not_at_all(tmp_path: Path) -> None:
    """A report that was loaded a second time into its folder doubled the bill."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(TEXT)
    with pytest.raises(UserError, match=r"b\.csv is the same as .*a\.csv"):
        read_bill(tmp_path)


@pytest.mark.parametrize("amount", ["1e400", "nan", "abc"])
def test_what_is_no_amount_is_told_with_its_line(tmp_path: Path, amount: str) -> None:
    """A figure of four hundred digits is one as little as a word."""
    (tmp_path / "bill.csv").write_text(f"{HEADS}\n{ROW.format(amount)}\n")
    with pytest.raises(UserError) as told:
        read_bill(tmp_path / "bill.csv")
    assert told.value.diagnostics[0].place is not None
    assert told.value.diagnostics[0].place.line == 2


def test_other_text_than_utf_8_is_called_so(tmp_path: Path) -> None:
    """Not by the codec's words."""
    (tmp_path / "bill.csv").write_bytes(TEXT.decode().encode("utf-16"))
    with pytest.raises(UserError, match="no text in UTF-8"):
        read_bill(tmp_path / "bill.csv")
