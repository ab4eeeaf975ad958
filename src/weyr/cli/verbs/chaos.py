"""`weyr chaos`: do to a running stack what clouds do to it."""

from typing import Annotated

import typer

from weyr.cli.completing import refs
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import Stack, part, seconds
from weyr.cli.screen import say
from weyr.cli.select import the_object
from weyr.core.units import duration_text

NOTICES = {"aws": 120.0, "gcp": 30.0, "azure": 30.0}
"""How long before the end the clouds tell of it, in seconds (their documentation, 2026)."""
REF_HELP = "An object whose task runs, such as job/train."

For = Annotated[float, typer.Option("--for", parser=seconds, metavar="DURATION", help="How long.")]


def _notice(text: str) -> float:
    """A duration, or whose notice it should be."""
    return NOTICES[text] if text in NOTICES else seconds(text)


app = verb_app("Do to a running stack what clouds do to it.")


@app.callback()
def chaos() -> None:
    """Do to a running stack what clouds do to it."""


@verb(app, "weyr chaos reclaim job/train --notice 5s")
def reclaim(
    ctx: typer.Context,
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="An object that runs on spot, such as job/train.", autocompletion=refs)
    ],
    stack: Stack = "",
    notice: Annotated[
        float,
        typer.Option(
            "--notice",
            parser=_notice,
            metavar="DURATION",
            help="How long before the kill it is told; or aws, gcp, azure.",
        ),
    ] = "5s",  # type: ignore[assignment]  # Typer parses defaults too
) -> None:
    """Reclaim the spot node that an object's task runs on: notice, grace, kill."""
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    client.call("POST", "/v1/chaos/reclaim", {"ref": f"{row.stack}:{row.ref}", "notice_s": notice})
    say(
        f"{row.ref} has notice: its node goes in {duration_text(notice)}. See what becomes of it: weyr events {row.ref}"
    )


@verb(app, "weyr chaos kill job/train\nweyr chaos kill job/train --wrapper")
def kill(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    wrapper: Annotated[bool, typer.Option("--wrapper", help="The process that watches over it instead.")] = False,
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
) -> None:
    """Kill the program of an object's task with SIGKILL, as a crash would."""
    of = "wrapper" if wrapper else "program"
    name = _disturb(ctx, ref, stack, {"what": "kill", "of": of, "replica": replica})
    say(f"The {of} of {name} is killed. See what becomes of it: weyr events {name}")


@verb(app, "weyr chaos slow job/train --share 10% --for 30s")
def slow(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    share: Annotated[
        float, typer.Option("--share", parser=part, metavar="SHARE", help="How much of the time it runs.")
    ] = "10%",  # type: ignore[assignment]  # Typer parses defaults too
    for_: For = "30s",  # type: ignore[assignment]
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
) -> None:
    """Slow an object's task down: it runs only for a share of the time."""
    name = _disturb(ctx, ref, stack, {"what": "slow", "share": share, "for_s": for_, "replica": replica})
    say(f"{name} runs for {share:.0%} of the time, for {duration_text(for_)}.")


@verb(app, "weyr chaos partition job/train --for 30s")
def partition(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    for_: For = "30s",  # type: ignore[assignment]  # Typer parses defaults too
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
) -> None:
    """Cut an object's task off from the object store, tracking and the API: nothing answers.

    Only a task in a sandbox with `network: local` has a line of its own; another is refused.
    """
    name = _disturb(ctx, ref, stack, {"what": "partition", "for_s": for_, "replica": replica})
    say(f"{name} is cut off for {duration_text(for_)}.")


def _disturb(ctx: typer.Context, ref: str, stack: str, what: dict[str, object]) -> str:
    """Asks for it; gives the object's name."""
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    given = {name: value for name, value in what.items() if value is not None}
    client.call("POST", "/v1/chaos/disturb", {"ref": f"{row.stack}:{row.ref}", **given})
    return row.ref
