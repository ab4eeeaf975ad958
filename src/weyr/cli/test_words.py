"""What is read from the user and from the stream, and how problems are worded."""

from pathlib import Path

import pytest

from weyr.cli.boundary import rendered
from weyr.cli.client import diagnostic_of, read_answer
from weyr.cli.feed import parsed
from weyr.cli.place import Process, running, start_ticks
from weyr.cli.program import hoisted, home_of
from weyr.cli.screen import table
from weyr.cli.stackfile import StackFile, read_stack_file
from weyr.core.diagnostic import Diagnostic, Place, UserError, WorldMoved


def test_global_options_may_stand_anywhere() -> None:
    """People add --home where they are, not where the parser wants it."""
    assert hoisted(["get", "jobs", "--home", "h", "--no-color"]) == (["--home", "h", "--no-color"], ["get", "jobs"])
    assert hoisted(["get", "--", "--home", "h"]) == ([], ["get", "--", "--home", "h"])


def test_the_last_home_on_the_line_wins() -> None:
    """As every option does."""
    assert home_of(["--home", "a", "--home=b"]) == Path.cwd() / "b"


def test_events_are_read_across_comments_and_many_data_lines() -> None:
    """The stream keeps itself alive with comments; they are not events."""
    lines = [
        ": hi",
        "",
        "id: 7",
        'data: {"id": 7, "at": 1, "ref": "digits:job/train",',
        'data: "event": "x", "message": "m"}',
        "",
    ]

    (event,) = parsed(lines)

    assert (event.id, event.ref, event.message) == (7, "job/train", "m")


def test_a_diagnostic_has_its_line_and_its_next_step(tmp_path: Path) -> None:
    """Summary, where, detail, the line itself, and what to type: each on its own line."""
    file = tmp_path / "weyr.yaml"
    file.write_text("stack: digits\nvolumes:\n  data: {sise: 1GiB}\n")
    problem = Diagnostic("Unknown field", 'there is no field "sise".', place=Place(str(file), 3), ref="volume/data",
                         suggestion="weyr explain volume")  # fmt: skip

    assert rendered(problem).splitlines() == [
        "Error: Unknown field",
        f'  {file}:3 volume/data: there is no field "sise".',
        "      3 |   data: {sise: 1GiB}",
        "  Try: weyr explain volume",
    ]


def test_a_place_may_be_text() -> None:
    """Either form of a place from the server is understood."""
    assert diagnostic_of({"summary": "s", "detail": "d", "place": "a.yaml:3"}).place == Place("a.yaml", 3)


@pytest.mark.parametrize(
    ("status", "data", "error", "says"),
    [
        (409, b'{"diagnostics":[{"summary":"The world has moved","detail":"x"}]}', WorldMoved, "moved"),
        (200, b"<html>hi</html>", UserError, "Something else answers"),
        (500, b"Internal Server Error", UserError, "The server failed"),
        (401, b"{}", UserError, "refused the token"),
    ],
)
def test_every_refusal_is_a_diagnostic(status: int, data: bytes, error: type[UserError], says: str) -> None:
    """Also one of a program that is not Weyr."""
    with pytest.raises(error, match=says):
        read_answer(status, data, "GET /v1/objects", "http://127.0.0.1:1")


def test_columns_stand_in_line_and_empty_cells_are_seen() -> None:
    """A hole in a table is told from a shifted column."""
    lines = table(["name", "micros"], [["a", "1"], ["long", ""]], frozenset({1})).splitlines()

    assert lines == ["NAME  MICROS", "a          1", "long       -"]


@pytest.mark.parametrize("line", ["stack: digits", 'stack: "digits"  # mine', "stack: 'digits'"])
def test_a_broken_file_still_names_its_stack(line: str) -> None:
    """`weyr down` must work though somebody is in the middle of editing the file."""
    assert StackFile(Path("x"), f"# a\n{line}\njobs: [broken\n").stack == "digits"


def test_files_that_cannot_be_stack_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    """A binary, a folder without one, a near name."""
    (tmp_path / "blob").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "wyer.yaml").write_text("stack: x")

    with pytest.raises(UserError, match="not text"):
        read_stack_file(tmp_path / "blob")
    with pytest.raises(UserError, match=r'Did you mean "wyer\.yaml"'):
        read_stack_file(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        read_stack_file(tmp_path / "no" / "file.yaml")


def test_a_process_id_that_was_given_to_another_is_not_ours(tmp_path: Path) -> None:
    """After a reboot the recorded id belongs to somebody else."""
    init = start_ticks(1)

    assert init is not None
    assert Process("server", 1, init).is_alive
    assert not Process("server", 1, init + 1).is_alive
    assert running(tmp_path) is None
