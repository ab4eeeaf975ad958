"""What a data folder's ports are when their file is not as it was left."""

from pathlib import Path

import pytest

from weyr.core.diagnostic import UserError
from weyr.engines.local.ports import kept_ports


@pytest.mark.parametrize("text", ["", "[]", "{", '{"server": null}'])
def test_ports_that_cannot_be_read_are_no_traceback(tmp_path: Path, text: str) -> None:
    """A power cut may leave a name without its content; whoever starts the server is told which file it is."""
    file = tmp_path / "ports.json"
    file.write_text(text)

    with pytest.raises(UserError) as refused:
        kept_ports(file, {"server": 0})

    assert str(file) in refused.value.diagnostics[0].detail
    assert file.read_text() == text


def test_ports_are_kept(tmp_path: Path) -> None:
    """Tasks know the server by its port for as long as they run."""
    first = kept_ports(tmp_path / "ports.json", {"server": 0, "s3": 0})

    assert kept_ports(tmp_path / "ports.json", {"server": 0, "s3": 0}) == first
