"""Help is a promise: listed verbs exist, their sentences agree, and the page in docs is what they say."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from cli_shell import Shell

from weyr.cli.group import root_command
from weyr.cli.program import VERBS, load
from weyr.cli.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
NAMES = [name for verbs in VERBS.values() for name in verbs]


@pytest.mark.parametrize("name", NAMES)
def test_a_verb_says_of_itself_what_the_list_says(name: str) -> None:
    """`weyr --help` does not load the verbs; this test keeps its sentences true."""
    root = root_command(VERBS, load)
    command = root.get_command(typer.Context(root), name)
    listed = next(verbs[name] for verbs in VERBS.values() if name in verbs)

    assert (command.help or "").splitlines()[0] == listed


def test_the_reference_page_is_what_the_help_says() -> None:
    """Run `python -m weyr.cli.reference > docs/reference/cli.md` after a change."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_help_of_the_command_itself_loads_no_verb(shell: Shell) -> None:
    """Start-up speed: the first thing that anybody types is answered at once."""
    code = "import sys; from weyr.cli.program import run; run(['--help']); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {name for name in loaded if name.startswith("weyr.cli.verbs.")}
    assert not loaded & {"rich", "http.client", "pydantic", "sqlalchemy", "starlette", "asyncio"}


def test_the_version_costs_next_to_nothing(shell: Shell) -> None:
    """Below 0.2 s on a quiet machine; here the CPU it takes is what counts."""
    began = time.monotonic()
    said = shell.weyr("--version")
    took_s = time.monotonic() - began

    assert said.out.startswith("weyr 0.")
    assert took_s < 2.0
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "weyr.cli.main", "--version"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "typer" not in loaded


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_every_shell(shell: Shell, shell_name: str) -> None:
    """For those who install it themselves."""
    assert "_WEYR_COMPLETE" in shell.weyr("completion", "show", shell_name).out


def test_the_shell_completes_verbs(shell: Shell) -> None:
    """What the installed script asks is answered with the verbs."""
    said = shell.weyr(environment={"_WEYR_COMPLETE": "complete_bash", "COMP_WORDS": "weyr expl", "COMP_CWORD": "1"})

    assert said.out.split() == ["explain"]


def test_explain_shows_every_kind_and_field(shell: Shell) -> None:
    """The reference is made from the spec itself, lists and nested fields included."""
    assert all(kind in shell.weyr("explain").out for kind in ("bucket", "job", "model", "endpoint", "secret", "budget"))
    assert "required" in shell.weyr("explain", "bucket.lifecycle.expire_after").out
    assert "a duration such as 30s or 5m" in shell.weyr("explain", "job.checkpoint.every").out
