"""Which options do several verbs share? Each once, so that it means the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.completing import stacks
from weyr.core.units import bytes_of, seconds_of, share_of


def seconds(text: str) -> float:
    """A duration as people write it. Raises: BadParameter."""
    try:
        return seconds_of(text)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e


def gibibytes(text: object) -> float:
    """GiB, as a bare number or a size such as 16GiB. Raises: BadParameter."""
    try:
        number = float(str(text))
    except ValueError:
        try:
            return bytes_of(str(text)) / 2**30
        except ValueError as e:
            raise typer.BadParameter(f"{text!r} is no size: write 16, or 16GiB") from e
    if not 0 <= number < 2**30:
        raise typer.BadParameter(f"{text} GiB of memory are no size that a machine has")
    return number


def part(text: str) -> float:
    """A share as people write it, such as 10%. Raises: BadParameter."""
    try:
        return share_of(text)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel="Output")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Timeout = Annotated[
    float | None,
    typer.Option(parser=seconds, metavar="DURATION", help="Stop following after so long, such as 10m; exit with 1."),
]
Stack = Annotated[str, typer.Option("--stack", metavar="NAME", help="Only this stack.", autocompletion=stacks)]
Period = Annotated[str, typer.Option("--period", metavar="MONTH", help="Only this UTC month, such as 2026-10.")]
OverBudget = Annotated[
    bool, typer.Option("--over-budget", help="Allow the plan to be expected to cost more than a budget's limit.")
]
Usage = Annotated[
    Path | None,
    typer.Option("--usage", metavar="FILE", help="What use to reckon with, in place of what would be assumed."),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")]
