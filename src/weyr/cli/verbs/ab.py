"""`weyr ab`: do the versions of an endpoint differ, or is it chance?"""

from dataclasses import asdict
from typing import Annotated

import typer

from weyr.cli.ab_table import ab_table, counts_of
from weyr.cli.completing import refs
from weyr.cli.connect import reader
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Stack
from weyr.cli.screen import put, put_json
from weyr.cli.select import the_object
from weyr.core.comparison import LOOKED_FOR, report
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.routes import VersionCounts

app = verb_app()


@verb(app, "weyr ab endpoint/digits")
def ab(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="Such as endpoint/digits or shop:endpoint/rank.", autocompletion=refs)
    ],
    control: Annotated[str, typer.Option(help="The version that the others are set beside.")] = "",
    looking_for: Annotated[
        float, typer.Option(min=0.001, help="The difference worth finding, as a share of the control's mean.")
    ] = LOOKED_FOR,
    stack: Stack = "",
    as_json: AsJson = False,
) -> None:
    """Compare the versions that answer an endpoint's requests.

    Errors, latency and reported outcomes since the plane began to count, each with the p-value that holds however
    often you look.
    """
    session: Session = ctx.obj
    row = the_object(reader(session.home), ref, stack)
    counts = counts_of(row)
    try:
        findings = report(counts, control, looking_for)
    except LookupError as e:
        raise UserError(Diagnostic("Unknown version", str(e).capitalize() + ".", suggestion=f"weyr ab {ref}")) from e
    if as_json:
        put_json({"ref": row.ref, "versions": [asdict(one) for one in counts], "findings": [*map(asdict, findings)]})
        return
    if not findings:
        put(f"{row.ref} has answered requests with {_names(counts)}; there is nothing to compare yet.")
        return
    put(ab_table(findings))


def _names(counts: list[VersionCounts]) -> str:
    served = [f"version {one.name}" if one.name else "its one version" for one in counts if one.requests]
    return ", ".join(served) or "no version"
