"""Members of a gang meet at a port that nobody else has."""

import socket
from pathlib import Path

import pytest

from weyr.attempt.ports import Rendezvous, unused_port


def test_a_port_that_somebody_has_is_passed_over_and_a_gang_keeps_its_own(tmp_path: Path) -> None:
    """A gang whose port was taken met nobody, and failed by no fault of its own."""
    first, second = unused_port(), unused_port()
    kept = Rendezvous(tmp_path / "kept")
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert kept.port_of("a", tmp_path / "a", [first, second]) == second
    assert kept.port_of("a", tmp_path / "a1", [first, second]) == second
    (tmp_path / "a").mkdir()
    assert Rendezvous(tmp_path / "kept").port_of("a", tmp_path / "a1", [first, second]) == second


def test_two_gangs_never_have_one_port_until_the_first_is_gone(tmp_path: Path) -> None:
    """The one may not listen yet when the other is ordered."""
    kept, port = Rendezvous(tmp_path / "kept"), unused_port()
    assert kept.port_of("a", tmp_path / "a", [port]) == port
    with pytest.raises(OSError, match="is free"):
        kept.port_of("b", tmp_path / "b", [port])
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="is free"):
        Rendezvous(tmp_path / "kept").port_of("b", tmp_path / "b", [port])
    (tmp_path / "a").rmdir()
    assert Rendezvous(tmp_path / "kept").port_of("b", tmp_path / "b", [port]) == port
