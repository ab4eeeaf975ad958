"""Accelerators as people write them."""

import pytest

from weyr.core.accelerators import accelerators_of, accelerators_text
from weyr.core.capability import Accelerators


@pytest.mark.parametrize(
    ("written", "meant", "text"),
    [
        ("H100", Accelerators("H100", 1), "H100:1"),
        ("H100:8", Accelerators("H100", 8), "H100:8"),
        ({"H100": 8}, Accelerators("H100", 8), "H100:8"),
        ("tpu-v5e:4", Accelerators("tpu-v5e", 4), "tpu-v5e:4"),
        ("H100:0.5", Accelerators("H100", share_milli=500), "H100:0.5"),
        ("H100:20GiB", Accelerators("H100", memory_bytes=20 << 30), "H100:20GiB"),
        ("H100:2g.20gb", Accelerators("H100", profile="2g.20gb"), "H100:2g.20gb"),
        ("1g.10gb", Accelerators(profile="1g.10gb"), "1g.10gb"),
        (2, Accelerators(count=2), "2"),
        (0.25, Accelerators(share_milli=250), "0.25"),
    ],
)
def test_every_way_to_write_accelerators_is_read_and_told_back(written: object, meant: Accelerators, text: str) -> None:
    """Files of other tools carry over, and the plan shows what was understood."""
    assert accelerators_of(written) == meant
    assert accelerators_text(meant) == text
    assert accelerators_of(text) == meant


@pytest.mark.parametrize("written", ["H100:0", "H100:1.5", "H100:0.0001", "H100:many", "", True, {"A": 1, "B": 2}, -1])
def test_what_no_device_can_give_is_refused(written: object) -> None:
    """One and a half devices would be rounded by somebody, and nobody would know by whom."""
    with pytest.raises(ValueError, match="write"):
        accelerators_of(written)
