"""`weyr init`: a starter file that comes up as it is and explains itself."""

import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.group import verb, verb_app
from weyr.cli.screen import say
from weyr.cli.stackfile import DEFAULT
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME

app = verb_app()


@verb(app, "weyr init mystack")
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made if it is missing; default: here.")] = Path(),
) -> None:
    """Write a commented starter file.

    Never overwrites one that is there. The stack gets the folder's name.
    """
    file = folder / DEFAULT
    text = resources.files("weyr.cli").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as output:
            output.write(text.replace("stack: starter", f"stack: {_name_for(folder)}", 1))
    except FileExistsError as e:
        raise UserError(
            Diagnostic(
                "There is a stack file already",
                f"{e.filename} is there and was left as it is.",
                suggestion="weyr init ANOTHER-FOLDER",
            )
        ) from e
    except OSError as e:
        if e.filename is None and file.is_file():
            file.unlink()  # ours, and half written: it would keep the next try away
        detail = f"{e.filename or file}: {e.strerror}."
        raise UserError(Diagnostic("The starter file cannot be written", detail)) from e
    where = "" if folder == Path() else f" {folder}"
    say(f"Wrote {file}. Read it, then: weyr up{where}")


def _name_for(folder: Path) -> str:
    """The folder's name as a stack may be called."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.absolute().name.lower()).lstrip("-0123456789_")[:40].rstrip("-_")
    return name if NAME.fullmatch(name) else "starter"
