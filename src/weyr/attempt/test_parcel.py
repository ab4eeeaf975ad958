"""A folder comes to another machine piece by piece, and is there whole or not at all."""

from pathlib import Path

import pytest

from weyr.attempt import parcel
from weyr.attempt.parcel import Damaged, Intake, pieces_of
from weyr.attempt.shipping import Snapshots


@pytest.fixture
def sent(tmp_path: Path) -> tuple[Path, str]:
    """The folder of snapshots here, and the digest of one with a large file and two equal ones."""
    code = tmp_path / "code"
    (code / "below").mkdir(parents=True)
    (code / "large").write_bytes(bytes(range(256)) * (parcel.PIECE_BYTES // 100))
    (code / "one.py").write_text("same")
    (code / "below" / "two.py").write_text("same")
    (code / "empty").touch()
    return tmp_path / "here", Snapshots(tmp_path / "here").take(str(code))


def test_what_was_cut_off_goes_on_from_there(sent: tuple[Path, str], tmp_path: Path) -> None:
    """Whoever sends may die after any piece; what came is kept, what comes twice does no harm, and in the end every
    file is what it was."""
    here, digest = sent
    there = tmp_path / "there"
    rounds = moved = 0
    while wishes := Intake(there, digest).lacking():
        first = next(pieces_of(here, wishes))
        Intake(there, digest).take(first)
        Intake(there, digest).take(first)
        rounds, moved = rounds + 1, moved + sum(len(piece.data) for piece in first)
        assert rounds < 20
    assert rounds > 2
    held = [path.stat().st_size for path in [*there.glob("blobs/*/*"), *there.glob("snapshots/*")]]
    assert moved == sum(held), "nothing was sent twice"
    Snapshots(there).lay_out(digest, tmp_path / "work")
    names = ["below/two.py", "empty", "large", "one.py"]
    for name in names:
        assert (tmp_path / "work" / name).read_bytes() == (tmp_path / "code" / name).read_bytes()


def test_a_machine_that_has_it_asks_for_nothing(sent: tuple[Path, str]) -> None:
    """The next task on a node waits for no files, and after an edit only for what was edited."""
    here, digest = sent
    assert Intake(here, digest).lacking() == []


def test_what_is_not_what_it_is_called_is_not_kept(sent: tuple[Path, str], tmp_path: Path) -> None:
    """A disk that lies must not give a task other code than was shipped."""
    here, digest = sent
    intake = Intake(tmp_path / "there", digest)
    (manifest,) = next(pieces_of(here, intake.lacking()))
    with pytest.raises(Damaged):
        intake.take([manifest._replace(data=manifest.data + b" ")])
    assert intake.lacking()[0].offset == 0
