"""What a command is started with."""

import os
from pathlib import Path

import pytest

from weyr.attempt.spawn import Bounds, Recruit


@pytest.mark.parametrize("number", range(3, 40))
def test_a_command_has_its_files_at_their_numbers_whatever_is_open_already(tmp_path: Path, number: int) -> None:
    """The number may be the very one that opening the file gave: on Slurm's nodes it was, and no sandbox stood."""
    said, nothing = os.open(tmp_path / "said", os.O_RDWR | os.O_CREAT), os.open(os.devnull, os.O_RDONLY)
    recruit = Recruit(nothing, said)
    words = ["/bin/bash", "-c", f"echo here >&{number}"]
    failure = recruit.become(words, str(tmp_path), {}, Bounds(files={str(number): str(tmp_path / "file")}))
    _, status = os.waitpid(recruit.pid, 0)
    os.close(said)
    os.close(nothing)
    assert (failure, status) == ("", 0)
    assert (tmp_path / "file").read_text() == "here\n"


@pytest.mark.parametrize("number", range(3, 40))
def test_what_cannot_be_started_is_told_whatever_is_open_already(tmp_path: Path, number: int) -> None:
    """The line on which it is told may have that number."""
    nothing = os.open(os.devnull, os.O_RDWR)
    recruit = Recruit(nothing, nothing)
    failure = recruit.become(["/no/such"], str(tmp_path), {}, Bounds(files={str(number): str(tmp_path / "file")}))
    os.waitpid(recruit.pid, 0)
    os.close(nothing)
    assert "no such program" in failure


def test_doors_of_its_own_network_are_open_and_its_files_too(tmp_path: Path) -> None:
    """A door that was closed late took the file with it that had its number by then: no sandbox stood on Slurm."""
    nothing, said = os.open(os.devnull, os.O_RDWR), os.open(tmp_path / "said", os.O_RDWR | os.O_CREAT)
    files = {str(number): str(tmp_path / f"file{number}") for number in range(6, 40)}
    recruit = Recruit(nothing, said)
    words = ["/bin/bash", "-c", " && ".join(f"echo here >&{number}" for number in files)]
    failure = recruit.become(words, str(tmp_path), {}, Bounds(ports=(40001, 40002), files=files))
    _, status = os.waitpid(recruit.pid, 0)
    for fd in (nothing, said, *recruit.doors):
        os.close(fd)
    assert (failure, status, len(recruit.doors)) == ("", 0, 2), (tmp_path / "said").read_text()
