"""`weyr exec`: a command where a task runs, in its environment, folder and sandbox."""

import sys
from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import Stack
from weyr.cli.select import the_object
from weyr.cli.visiting import visit

SHELL = ("/bin/sh", "-c", 'exec "${SHELL:-/bin/sh}"')

app = verb_app()


@verb(app, "weyr exec job/train -- ls -l")
def exec(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="An object whose task runs, such as job/train.", autocompletion=refs)
    ],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND...", help="The command; a shell where none is given.")
    ] = None,
    stack: Stack = "",
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
    index: Annotated[int | None, typer.Option("--index", min=0, metavar="N", help="Not the first index.")] = None,
    terminal: Annotated[
        bool | None, typer.Option("--tty/--no-tty", help="With a terminal; by default where you are at one.")
    ] = None,
) -> None:
    """Run a command, or a shell, where a task runs.

    It exits as the command does. The command has the task's environment, its credentials too, and its limits. Who ran
    what is in the audit trail.
    """
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    has_terminal = (sys.stdin.isatty() and sys.stdout.isatty()) if terminal is None else terminal
    asked = {"ref": f"{row.stack}:{row.ref}", "command": command or list(SHELL), "replica": replica, "index": index}
    raise typer.Exit(visit(client, {name: value for name, value in asked.items() if value is not None}, has_terminal))
