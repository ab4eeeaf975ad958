"""Help is a promise: listed verbs exist, their sentences agree, and the page in docs is what they say."""

import resource
import subprocess
import sys
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


def test_an_option_is_read_without_a_schema(shell: Shell) -> None:
    """A Typer that loads pydantic for that costs each command as much CPU as all the rest of it."""
    shell.serve()
    code = "import sys; from weyr.cli.program import run; run(['get', '--stack', 'digits']); print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=shell.environment({})
    )

    loaded = set(done.stdout.splitlines()[-1].split())
    assert "weyr.cli.verbs.get" in loaded
    assert not loaded & {"rich", "pydantic", "sqlalchemy", "starlette", "asyncio"}


def test_the_version_costs_next_to_nothing(shell: Shell) -> None:
    """Below 0.2 s on a quiet machine; here the CPU it takes is what counts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = shell.weyr("--version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert said.out.startswith("weyr 0.")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0
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


COMPLETED = {
    "objects": ("weyr describe job/", "2", ["job/train"]),
    "objects of every kind": ("weyr logs mod", "2", ["model/digits"]),
    "no objects that cannot be called": ("weyr invoke mod", "2", []),
    "stacks": ("weyr get --stack d", "3", ["digits"]),
    "runs": ("weyr runs 0f", "2", ["0f6d5a3e9b7c"]),
}


@pytest.mark.parametrize(("line", "word", "expected"), COMPLETED.values(), ids=COMPLETED.keys())
def test_the_shell_completes_what_stands(shell: Shell, line: str, word: str, expected: list[str]) -> None:
    """Names of objects, stacks and runs come from the running server."""
    shell.serve()
    assert shell.weyr("up", "--yes", "--detach").status == 0
    asked = {"_WEYR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": word}

    assert shell.weyr(environment=asked).out.split() == expected


PRICED = {
    "accelerators and machines": ("weyr prices A1", "2", ["A10", "A100", "A100-80GB", "A10G"]),
    "the verbs beside them": ("weyr prices comp", "2", ["compare"]),
    "regions and areas": ("weyr prices A100 --region eu-ce", "4", ["eu-central-1"]),
    "options of the verb that is meant": ("weyr prices A100 --reg", "3", ["--region"]),
}


@pytest.mark.parametrize(("line", "word", "expected"), PRICED.values(), ids=PRICED.keys())
def test_the_shell_completes_what_has_a_price(shell: Shell, line: str, word: str, expected: list[str]) -> None:
    """Without a server: the lists lie on this machine."""
    asked = {"_WEYR_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": word}

    assert shell.weyr(environment=asked).out.split() == expected


def test_completion_is_quiet_where_nobody_answers(shell: Shell) -> None:
    """A message in the middle of a line that is being typed helps nobody."""
    asked = {"_WEYR_COMPLETE": "complete_bash", "COMP_WORDS": "weyr describe job/", "COMP_CWORD": "2"}

    said = shell.weyr(environment=asked)

    assert (said.out.strip(), said.err) == ("", "")


def test_the_command_alone_shows_what_there_is(shell: Shell) -> None:
    """The first thing that anybody types."""
    said = shell.weyr()

    assert "Bring a stack up" in said.out + said.err


def test_explain_shows_every_kind_and_field(shell: Shell) -> None:
    """The reference is made from the spec itself, lists and nested fields included."""
    assert all(kind in shell.weyr("explain").out for kind in ("bucket", "job", "model", "endpoint", "secret", "budget"))
    assert "required" in shell.weyr("explain", "job.run").out
    assert "a duration such as 30s or 5m" in shell.weyr("explain", "job.checkpoint.every").out
