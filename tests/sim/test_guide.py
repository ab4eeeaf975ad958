"""The guide to simulating is run as it is printed, and what it names can be imported from one place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import weyr.sim

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "simulating.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_guides_examples_run(number: int, tmp_path: Path) -> None:
    """An author copies them; each ends well, the first with its job done."""
    ran = subprocess.run(
        [sys.executable, "-c", EXAMPLES[number]], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "Warning" not in ran.stderr
    assert number or ran.stdout.startswith("done after")


def test_there_are_examples() -> None:
    """A guide whose code blocks are not found would pass for ever."""
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("name", weyr.sim.__all__)
def test_every_exported_name_says_what_it_is(name: str) -> None:
    """An author's editor shows it."""
    assert (getattr(weyr.sim, name).__doc__ or "").strip(), f"weyr.sim.{name} has no docstring"
