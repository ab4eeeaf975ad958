"""A stack file that weyr changes is somebody's own: it is written whole, or left alone."""

import os
import stat
from pathlib import Path

import pytest

from weyr.cli.stackfile import replace_text


def test_a_file_is_replaced_whole_and_stays_what_it_is(tmp_path: Path) -> None:
    """A link to a file in another folder stays one, with the rights that somebody gave it; no draft is left."""
    real, link = tmp_path / "real.yaml", tmp_path / "weyr.yaml"
    real.write_bytes(b"stack: a\r\n")
    real.chmod(0o640)
    link.symlink_to(real)

    replace_text(link, "stack: b\r\n")

    assert link.is_symlink()
    assert real.read_bytes() == b"stack: b\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["real.yaml", "weyr.yaml"]


def test_what_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    """A text that breaks off in the middle of writing, as on a full disk, is no half a file."""
    path = tmp_path / "weyr.yaml"
    path.write_text("stack: a\n")

    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "stack: b\n" + "x" * 100_000 + "\ud800")

    assert path.read_text() == "stack: a\n"
    assert os.listdir(tmp_path) == ["weyr.yaml"]
