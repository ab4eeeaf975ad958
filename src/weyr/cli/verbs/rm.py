"""`weyr rm`: objects are deleted, one or all under a prefix."""

import time
from typing import Annotated

import typer

from weyr.cli.ask import confirmed
from weyr.cli.completing import addresses
from weyr.cli.copying import DryRun, Exclude, Include, tell_plan, tell_result
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson, Yes
from weyr.cli.s3_door import HANDS, Endpoint, OfStack, crew_of, door_of
from weyr.cli.screen import say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import size_text
from weyr.transfer import calls
from weyr.transfer.address import Remote, remote_of
from weyr.transfer.carry import delete_keys
from weyr.transfer.client import S3Client
from weyr.transfer.entries import Choice, Entry, objects_of
from weyr.transfer.tally import Tally

app = verb_app()


@verb(app, "weyr rm lake:train/old.parquet\nweyr rm -r lake:tmp/ --yes")
def rm(
    ctx: typer.Context,
    what: Annotated[
        str, typer.Argument(metavar="WHERE", help="Such as lake:tmp/a or s3://NAME/tmp/.", autocompletion=addresses)
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Everything under the prefix.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack: OfStack = "",
    endpoint: Endpoint = "",
    as_json: AsJson = False,
) -> None:
    """Delete objects. In a bucket that keeps versions they can be had back."""
    session: Session = ctx.obj
    began, tally = time.monotonic(), Tally()
    given = remote_of(what)
    if given.is_folder and not recursive:
        detail = f"{given} is everything under a prefix. Delete it with --recursive."
        raise UserError(Diagnostic("Not one object", detail, suggestion=f"weyr rm -r {given} --dry-run"))
    door = door_of(session.home, endpoint, stack, tally)
    with crew_of(door, tally, HANDS, "Deleting") as crew:
        remote = door.bucket(given)
        choice = Choice(tuple(include or ()), tuple(exclude or ()))
        entries = _entries(door.client, remote, recursive, choice)
        keys = [remote.key + entry.path for entry in entries]
        if dry_run:
            tell_plan([], [f"s3://{remote.bucket}/{key}" for key in keys], as_json)
            return
        size = size_text(sum(entry.size for entry in entries))
        question = f"Delete {len(keys):,} objects, {size}, from {given}?"
        if recursive and not confirmed(question, yes, f"weyr rm -r {what}"):
            say("Nothing was deleted.")
            raise typer.Exit(1)
        delete_keys(crew, remote.bucket, keys)
    tell_result(tally, began, as_json)


def _entries(client: S3Client, remote: Remote, is_recursive: bool, choice: Choice) -> list[Entry]:
    """What is to go, each with the rest of its key behind the address. Raises: UserError where there is nothing."""
    if not is_recursive:
        # A delete of what is not there succeeds, and a slip would look like a deed.
        found, _ = calls.head(client, remote.bucket, remote.key)
        return [Entry("", found.size, found.modified_s, found.etag)]
    entries = list(objects_of(client, remote, choice, with_markers=True))
    if not entries:
        raise UserError(Diagnostic("Nothing to delete", f"There is nothing under {remote}.", suggestion="weyr ls"))
    return entries
