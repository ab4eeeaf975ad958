"""`weyr completion`: the shell completes verbs, options and choices."""

from enum import StrEnum
from typing import Annotated

import typer
from typer import completion as shells

from weyr.cli.group import COMPLETE, verb, verb_app
from weyr.cli.screen import put, say

app = verb_app("Set up completion for your shell.")


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


WhichShell = Annotated[Shell, typer.Argument(help="Which shell.")]


@verb(app, "weyr completion install bash")
def install(shell: WhichShell) -> None:
    """Install completion into a shell's start-up files."""
    _, path = shells.install(shell.value, "weyr", COMPLETE)  # type: ignore[attr-defined]  # Typer lists no exports
    say(f"Installed in {path}. It works in the next shell you open.")


@verb(app, "weyr completion show bash")
def show(shell: WhichShell) -> None:
    """Print the completion script, for those who install it themselves."""
    script = shells.get_completion_script(  # type: ignore[attr-defined]  # as above
        prog_name="weyr", complete_var=COMPLETE, shell=shell.value
    )
    put(script)
