"""`weyr sync`: the target has what the source has, and only what differs is copied."""

import time
from typing import Annotated

import typer

from weyr.cli.completing import addresses
from weyr.cli.copying import DryRun, Exclude, Include, tell_plan, tell_result
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.s3_door import HANDS, Door, Endpoint, Hands, OfStack, crew_of, door_of
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.transfer.address import Local, Remote, Stream, address_of, bad_address
from weyr.transfer.carry import carry_all, delete_all, errand_of
from weyr.transfer.client import S3Client
from weyr.transfer.entries import Choice, Entry, Skip, files_of, objects_of
from weyr.transfer.plan import plan_of
from weyr.transfer.tally import Tally

app = verb_app()


@verb(app, "weyr sync data/ lake:data/\nweyr sync lake:data/ data/ --delete --dry-run")
def sync(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="A folder or a prefix.", autocompletion=addresses)],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            help="A folder, lake:data/ in the bucket that the stack's file calls lake, or s3://NAME/data/.",
            autocompletion=addresses,
        ),
    ],
    delete: Annotated[bool, typer.Option("--delete", help="Delete from TO what FROM does not have.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    dry_run: DryRun = False,
    stack: OfStack = "",
    endpoint: Endpoint = "",
    parallel: Hands = HANDS,
    as_json: AsJson = False,
) -> None:
    """Copy what differs between a folder and a bucket, or two buckets.

    A file is the same if it is as large and TO is not older; two objects also if their etags are equal.
    Patterns hold on both sides: what they leave out is neither copied nor deleted.
    """
    session: Session = ctx.obj
    began, tally = time.monotonic(), Tally()
    door = door_of(session.home, endpoint, stack, tally)
    origin, goal = _folder(door, source), _folder(door, target)
    if isinstance(origin, Local) and isinstance(goal, Local):
        raise bad_address(source, "Neither of the two is in a bucket, and for folders there is rsync.")
    _check_apart(origin, goal)
    choice = Choice(tuple(include or ()), tuple(exclude or ()))
    with crew_of(door, tally, parallel, "Syncing") as crew:
        if isinstance(origin, Local) and not origin.path.is_dir():
            # An empty list would have --delete take everything away.
            raise UserError(
                Diagnostic("Nothing to sync", f"There is no folder {origin}.", suggestion="weyr sync --help")
            )
        there = {entry.path: entry for entry in _entries(door.client, goal, choice, lambda _what, _why: None)}
        plan = plan_of(_entries(door.client, origin, choice, tally.has_failed), there, delete)
        tally.same = plan.same
        if plan.deletes and not plan.copies and not plan.same:
            detail = f"There is nothing in {origin}, so --delete would take away all {len(plan.deletes)} of {goal}."
            raise UserError(Diagnostic("Nothing to sync", detail, suggestion=f"weyr rm -r {target} --dry-run"))
        errands = [errand_of(entry, origin, goal) for entry in plan.copies]
        if dry_run:
            tell_plan(errands, [f"{goal}{path}" for path in plan.deletes], as_json)
            return
        carry_all(crew, errands)
        if tally.failed and plan.deletes:
            tally.has_failed(f"{len(plan.deletes)} to delete", "nothing is deleted where something could not be copied")
        else:
            delete_all(crew, goal, plan.deletes)
    tell_result(tally, began, as_json)


def _folder(door: Door, text: str) -> Local | Remote:
    address = address_of(text)
    if isinstance(address, Stream):
        raise bad_address(text, "A stream is no folder.")
    if isinstance(address, Local):
        return Local(address.path, is_folder=True)
    remote = door.bucket(address)
    return remote if remote.is_folder else Remote(remote.bucket, f"{remote.key}/")


def _entries(client: S3Client, place: Local | Remote, choice: Choice, skip: Skip) -> list[Entry]:
    if isinstance(place, Remote):
        return list(objects_of(client, place, choice))
    return list(files_of(place, choice, skip)) if place.path.is_dir() else []


def _check_apart(source: Local | Remote, target: Local | Remote) -> None:
    """Raises: UserError where one lies in the other: each sync would find what the last one made."""
    if not isinstance(source, Remote) or not isinstance(target, Remote) or source.bucket != target.bucket:
        return
    if source.key.startswith(target.key) or target.key.startswith(source.key):
        raise bad_address(str(target), f"It lies in {source}, or that in it.")
