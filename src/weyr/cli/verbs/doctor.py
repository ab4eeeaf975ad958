"""`weyr doctor`: what this machine can and cannot do, and what to do about it."""

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.checks import Check, Verdict, checks
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import coloured, put, put_json

_SIGNS = {Verdict.OK: ("✓", "ready"), Verdict.LIMITED: ("·", "waiting"), Verdict.BROKEN: ("✗", "failed")}
app = verb_app()


@verb(app, "weyr doctor")
def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say what this machine can and cannot do.

    Exits with 1 where Weyr cannot work here.
    """
    session: Session = ctx.obj
    answers = checks(session.home)
    broken = [check for check in answers if check.verdict is Verdict.BROKEN]
    if as_json:
        put_json({"can_work": not broken, "checks": [check.plain() for check in answers]})
    else:
        put("\n".join(_line(check) for check in answers))
        limited = sum(check.verdict is Verdict.LIMITED for check in answers)
        conclusion = "Weyr cannot work here yet" if broken else "Weyr works here"
        put(f"\n{conclusion}; {limited} of {len(answers)} checks are limited.")
    if broken:
        raise typer.Exit(FAILED)


def _line(check: Check) -> str:
    sign, colour = _SIGNS[check.verdict]
    step = f"\n  {'':<12} → {check.next_step}" if check.next_step else ""
    return f"{coloured(sign, colour)} {check.name:<12} {check.found}{step}"
