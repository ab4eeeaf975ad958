"""Does every broken file tell its author what is wrong, where, and what to do? Golden text, one per file."""

from pathlib import Path

import pytest
from known_kinds import KINDS

from weyr.core.diagnostic import UserError
from weyr.stack.parse import parse_stack
from weyr.stack.text import SIZE_MAX

BROKEN = Path(__file__).parent / "broken"
JARGON = (
    "pydantic",
    "Input should",
    "pydantic.dev",
    "validation error",
    "tuple",
    "dict",
    "str ",
    "NoneType",
    "Traceback",
)


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_broken_file_is_told_in_full(file: Path, pytestconfig: pytest.Config) -> None:
    """Each problem with its line, in words that need no knowledge of what Weyr is made of."""
    with pytest.raises(UserError) as refused:
        parse_stack(file.read_bytes(), file.name, KINDS)

    said = "\n".join(str(problem) for problem in refused.value.diagnostics) + "\n"
    golden = file.with_suffix(".txt")
    if pytestconfig.getoption("--update-plans"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")
    assert all(problem.place and problem.place.file == file.name for problem in refused.value.diagnostics)


def test_there_are_enough_broken_files() -> None:
    """Forty ways to be wrong were promised; a file that goes missing should not go unseen."""
    assert len(list(BROKEN.glob("*.yaml"))) >= 40


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.txt")), ids=lambda file: file.stem)
def test_no_golden_text_speaks_of_the_machinery(file: Path) -> None:
    """A user who meets the validator's own words has to learn what Weyr is built from to mend a file."""
    said = file.read_text(encoding="utf-8")
    written = file.with_suffix(".yaml").read_bytes().decode("utf-8", "replace")
    assert [word for word in JARGON if word in said and word not in written] == []
    assert max(map(len, said.splitlines())) < 600


def test_a_file_that_is_too_large_is_not_even_read() -> None:
    """Somebody hands over a data set by mistake."""
    with pytest.raises(UserError, match="too large"):
        parse_stack(b"#" * (SIZE_MAX + 1), "weyr.yaml", KINDS)
