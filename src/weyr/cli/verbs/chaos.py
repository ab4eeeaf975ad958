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
REF_HELP = "An object whose task runs, such as job/train; or a pool, for one of its nodes."

Node = Annotated[
    str, typer.Option("--node", metavar="NAME", help="Which node of a pool, such as n1; by default the busiest.")
]

For = Annotated[float, typer.Option("--for", parser=seconds, metavar="DURATION", help="How long.")]


def _notice(text: str) -> float:
    """A duration, or whose notice it should be."""
    return NOTICES[text] if text in NOTICES else seconds(text)


app = verb_app("Do to a running stack what clouds do to it.")


@app.callback()
def chaos() -> None:
    """Do to a running stack what clouds do to it."""


@verb(app, "weyr chaos reclaim job/train --notice 5s\nweyr chaos reclaim pool/gpu --node n1 --notice aws")
def reclaim(
    ctx: typer.Context,
    ref: Annotated[
        str,
        typer.Argument(
            metavar="REF", help="An object that runs on spot, such as job/train; or a pool.", autocompletion=refs
        ),
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
    node: Node = "",
) -> None:
    """Reclaim the spot node that an object's task runs on, or a pool's node: notice, grace, kill."""
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    asked = {"ref": f"{row.stack}:{row.ref}", "notice_s": notice} | ({"node": node} if node else {})
    client.call("POST", "/v1/chaos/reclaim", asked)
    say(
        f"{row.ref} has notice: its node goes in {duration_text(notice)}. See what becomes of it: weyr events {row.ref}"
    )


@verb(app, "weyr chaos kill job/train\nweyr chaos kill job/train --wrapper\nweyr chaos kill pool/gpu --node n1")
def kill(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    wrapper: Annotated[bool, typer.Option("--wrapper", help="The process that watches over it instead.")] = False,
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
    node: Node = "",
) -> None:
    """Kill the program of an object's task with SIGKILL, as a crash would; or lose a pool's node, without notice."""
    of = "wrapper" if wrapper else "program"
    name, id = _disturb(ctx, ref, stack, {"what": "kill", "of": of, "replica": replica}, node)
    lost = f"{id} is gone, with all that ran there" if _is_pool(name) else f"The {of} of {name} is killed"
    say(f"{lost}. See what becomes of it: weyr events {name}")


@verb(app, "weyr chaos slow job/train --share 10% --for 30s\nweyr chaos slow pool/gpu --for 30s")
def slow(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    share: Annotated[
        float, typer.Option("--share", parser=part, metavar="SHARE", help="How much of the time it runs.")
    ] = "10%",  # type: ignore[assignment]  # Typer parses defaults too
    for_: For = "30s",  # type: ignore[assignment]
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
    node: Node = "",
) -> None:
    """Slow an object's task down, or all on a pool's node: it runs only for a share of the time."""
    name, id = _disturb(ctx, ref, stack, {"what": "slow", "share": share, "for_s": for_, "replica": replica}, node)
    say(
        f"{f'What is on {id}' if _is_pool(name) else name} runs for {share:.0%} of the time, for {duration_text(for_)}."
    )


@verb(app, "weyr chaos partition job/train --for 30s\nweyr chaos partition pool/gpu --for 30s")
def partition(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=refs)],
    stack: Stack = "",
    for_: For = "30s",  # type: ignore[assignment]  # Typer parses defaults too
    replica: Annotated[int | None, typer.Option("--replica", min=0, metavar="N", help="Not the first replica.")] = None,
    node: Node = "",
) -> None:
    """Cut an object's task off from the object store, tracking and the API: nothing answers.

    Only a task in a sandbox with `network: local` has a line of its own; another is refused. Of a pool, the server
    reaches a node no more, nor what is on it, until the time is up: nobody knows how it is, and nothing is begun anew.
    """
    name, id = _disturb(ctx, ref, stack, {"what": "partition", "for_s": for_, "replica": replica}, node)
    say(f"{id if _is_pool(name) else name} is cut off for {duration_text(for_)}.")


def _is_pool(name: str) -> bool:
    return name.startswith("pool/")


def _disturb(ctx: typer.Context, ref: str, stack: str, what: dict[str, object], node: str) -> tuple[str, str]:
    """Asks for it; gives the object's name, and that of the task or node that it was done to."""
    session: Session = ctx.obj
    client = writer(session.home)
    row = the_object(client, ref, stack)
    given = {name: value for name, value in {**what, "node": node or None}.items() if value is not None}
    answer = client.call("POST", "/v1/chaos/disturb", {"ref": f"{row.stack}:{row.ref}", **given})
    return row.ref, str(answer.get("id", ""))
