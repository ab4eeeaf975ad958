"""What a data folder's ports are when their file is not as it was left."""

import os
from pathlib import Path

import pytest

from weyr.core.diagnostic import UserError
from weyr.engines.local.ports import holder_of, kept_ports, listening, listening_somewhere


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


def test_two_that_start_at_once_do_not_get_one_port() -> None:
    """Two servers may choose the same port, each while the other does not listen yet: one of them takes another."""
    with listening_somewhere(0) as first:
        wanted = first.getsockname()[1]
    with listening_somewhere(wanted) as first, listening_somewhere(wanted) as second:
        assert first.getsockname()[1] == wanted != second.getsockname()[1]
        first.listen()
        second.listen()


def test_who_has_a_port_is_named() -> None:
    """Whoever is told that a port is taken wants to know what to end."""
    with listening_somewhere(0) as door:
        port = door.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listening(port)
        assert f"(process {os.getpid()})" in holder_of(port)
    assert holder_of(port) == ""
