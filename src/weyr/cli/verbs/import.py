"""`weyr import`: a stack file out of one that was written for another tool."""

from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.group import verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say
from weyr.cli.stackfile import read_stack_file
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.formats import Imported, imported

app = verb_app()


@verb(app, "weyr import examples/import/train.sbatch", name="import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A task, configuration, manifest or script.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there instead of printing it.")
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="STACK", help="What to call it; default: the file's name.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a stack file of one that was written for another tool.

    Reads a SkyPilot task, a dstack configuration, an sbatch script or a Kubernetes Job, CronJob or JobSet, and says
    line by line what does not carry over, and why.
    """
    source = read_stack_file(file)
    stack = imported(source.text, str(file), name or file.name.partition(".")[0] or source.path.parent.name)
    if output is not None:
        _write(output, stack.text)
    if as_json:
        put_json(_plain(stack))
        return
    for note in stack.notes:
        say(note.text(str(file)))
    if output is None:
        put(stack.text.rstrip("\n"))
    else:
        say(f"Wrote {output} ({', '.join(stack.objects)}). Read it, then: weyr plan {output}")


def _write(output: Path, text: str) -> None:
    """Never over a file that is there. Raises: UserError."""
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as e:
        detail = f"{output} was left as it is."
        raise UserError(Diagnostic("There is a file already", detail, suggestion="weyr import FILE -o ANOTHER")) from e
    except OSError as e:
        raise UserError(Diagnostic("The stack file cannot be written", f"{output}: {e.strerror}.")) from e


def _plain(stack: Imported) -> dict[str, object]:
    return {
        "format": stack.format.value,
        "stack": stack.stack,
        "objects": list(stack.objects),
        "text": stack.text,
        "notes": [
            {"line": note.line, "field": note.field, "verdict": note.verdict.value, "why": note.why}
            for note in stack.notes
        ],
    }
