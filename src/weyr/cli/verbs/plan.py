"""`weyr plan`: what would change, and what it would cost. Changes nothing and starts nothing."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.advice import hint
from weyr.cli.boundary import USAGE
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, OverBudget, Usage
from weyr.cli.plans import planned, refuse_fatal, removal
from weyr.cli.screen import folded, put, put_json, say
from weyr.cli.stackfile import read_stack_file, read_usage_file
from weyr.core.diagnostic import Diagnostic, UserError

HAS_CHANGES = USAGE
app = verb_app()


class Form(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"


@verb(app, "weyr plan examples/digits --exit-code")
def plan(
    ctx: typer.Context,
    path: Annotated[Path | None, typer.Argument(metavar="FOLDER|FILE", help="Default: weyr.yaml here.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Keep the plan in a file for weyr apply.")
    ] = None,
    remove: Annotated[str, typer.Option("--remove", metavar="STACK", help="Plan the removal of a stack.")] = "",
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 2 if there are changes, 0 if there are none.")
    ] = False,
    usage: Usage = None,
    over_budget: OverBudget = False,
    form: Annotated[
        Form, typer.Option("--format", help="How to print it; markdown is a comment on a pull request.")
    ] = Form.TEXT,
    as_json: AsJson = False,
) -> None:
    """Show what would change and what it would cost.

    The plan is kept under its id. Without a server it is made from the data folder.
    """
    session: Session = ctx.obj
    client = reader(session.home)
    if remove:
        made = removal(client, remove)
    else:
        told = read_usage_file(usage) if usage else None
        made = planned(client, read_stack_file(path), told, over_budget)
    if out is not None:
        _keep(out, json.dumps(dict(made.answer), indent=2) + "\n")
        say(f"Kept in {out}. Carry it out with: weyr apply {out}")
    if as_json:
        put_json(dict(made.answer))
    elif form is Form.MARKDOWN:
        put(str(made.answer.get("markdown", "")).rstrip("\n"))
    else:
        put(folded(made.text, sys.stdout))
        if not remove and (waste := hint(client, made.stack)):
            say(waste)
    refuse_fatal(made)
    if exit_code and made.has_changes:
        raise typer.Exit(HAS_CHANGES)


def _keep(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as e:
        if file.is_file():
            file.unlink()  # half a plan must not look like one
        raise UserError(Diagnostic("The plan cannot be written", f"{file}: {e.strerror}.")) from e
