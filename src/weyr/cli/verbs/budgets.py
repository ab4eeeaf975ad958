"""`weyr budgets`: the limits, what is spent of them, what is set aside, and where each period will end."""

import typer

from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.limits import limits_json, limits_of, limits_table
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json, say

app = verb_app()


@verb(app, "weyr budgets\nweyr budgets --stack digits --json")
def budgets(ctx: typer.Context, stack: Stack = "", as_json: AsJson = False) -> None:
    """Show the limits: what is spent, set aside and left of each, and where it will end.

    As it was reckoned last: a running server does that every two seconds.
    """
    session: Session = ctx.obj
    rows = limits_of(reader(session.home), stack)
    if as_json:
        put_json({"budgets": limits_json(rows)})
        return
    if not rows:
        say(f"There is no budget in a stack {stack}." if stack else "There are no budgets.")
        return
    put(limits_table(rows))
