"""`weyr validate`: every problem in a stack file, at once, without looking at what is there."""

from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.group import verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json
from weyr.cli.stackfile import read_stack_file
from weyr.compose.engines import ENGINES
from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.ledger.prices import Catalogue
from weyr.stack.parse import parse_stack
from weyr.stack.plan_json import diagnostic_json

app = verb_app()


@verb(app, "weyr validate examples/digits")
def validate(
    path: Annotated[Path | None, typer.Argument(metavar="FOLDER|FILE", help="Default: weyr.yaml here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a stack file and list every problem in it.

    Needs no server and changes nothing. Exits with 1 where there is a problem.
    """
    file = read_stack_file(path)
    try:
        stack = parse_stack(file.text, str(file.path), KINDS, engines=ENGINES, price_lists=Catalogue.shipped().books)
    except UserError as e:
        if as_json:
            problems = [diagnostic_json(each) for each in e.diagnostics]
            put_json({"stack": "", "file": str(file.path), "objects": [], "problems": problems})
        raise
    if as_json:
        objects = [str(ref) for ref in stack.objects]
        put_json({"stack": stack.name, "file": stack.file, "objects": objects, "problems": []})
    else:
        count = len(stack.objects)
        put(f"{stack.name}: {count} object{'' if count == 1 else 's'}, no problems.")
