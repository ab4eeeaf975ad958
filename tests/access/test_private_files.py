"""Files nobody else may read: one winner at the first start, and a clear refusal of what is not ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weyr.access.private_files import create_private, read_private, replace_private
from weyr.core.diagnostic import UserError

CREATE = (
    "import sys, pathlib; from weyr.access.private_files import create_private;"
    "print(create_private(pathlib.Path(sys.argv[1]), sys.argv[2].encode()))"
)


def test_of_two_first_starts_one_makes_the_file(tmp_path: Path) -> None:
    """Two servers must not hold two tokens, and neither may read half of one."""
    file = tmp_path / "keys" / "master"
    starts = [
        subprocess.Popen([sys.executable, "-c", CREATE, str(file), f"start-{n}"], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    made = [start.communicate()[0].strip() for start in starts]
    assert sorted(made) == ["False", "False", "False", "True"]
    assert read_private(file) == f"start-{made.index('True')}".encode()
    assert os.listdir(file.parent) == ["master"]


def test_content_is_replaced_as_a_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A draft of secrets that stays around would be one more thing to protect."""
    file = tmp_path / "credentials.json"
    assert create_private(file, b"one")
    replace_private(file, b"two")
    assert read_private(file) == b"two"
    assert os.listdir(tmp_path) == ["credentials.json"]
    assert read_private(tmp_path / "none") is None


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """Whoever owns the file chose what is in it."""
    file = Path("/etc/passwd")
    if os.geteuid() == 0:  # everything is ours then, until we give it away
        file = tmp_path / "admin.token"
        create_private(file, b"weyr_")
        os.chown(file, 54_321, -1)
    with pytest.raises(UserError) as caught:
        read_private(file)
    assert caught.value.diagnostics[0].summary == "File belongs to somebody else"
    assert str(file) in caught.value.diagnostics[0].detail


def test_a_folder_that_cannot_be_written_is_a_diagnostic(tmp_path: Path) -> None:
    """The data folder may be gone, full or read-only: the user learns which path it is about."""
    (tmp_path / "file").write_text("")
    for write in (create_private, replace_private):
        with pytest.raises(UserError) as caught:
            write(tmp_path / "file" / "credentials.json", b"content")
        assert caught.value.diagnostics[0].summary == "File cannot be written"
