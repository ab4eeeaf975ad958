"""`weyr cp`: files into buckets, objects out of them and between them."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.completing import addresses
from weyr.cli.copying import DryRun, Exclude, Include, tell_plan, tell_result
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.s3_door import HANDS, Endpoint, Hands, OfStack, crew_of, door_of, explained
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.transfer import calls
from weyr.transfer.address import Address, Local, Remote, Stream, address_of, bad_address
from weyr.transfer.carry import Errand, carry_all, errand_of
from weyr.transfer.client import LocalTrouble, S3Client
from weyr.transfer.crew import Crew
from weyr.transfer.download import download_stream
from weyr.transfer.entries import Choice, Entry, files_of, objects_of
from weyr.transfer.tally import Tally
from weyr.transfer.upload import upload_stream

app = verb_app()


@verb(app, "weyr cp data/train.parquet lake:train/\nweyr cp -r lake:train/ copy/\nweyr cp s3://digits-lake/a.json -")
def cp(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="As TO.", autocompletion=addresses)],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            help="lake:train/ is in the bucket that the stack's file calls lake, s3://NAME/train/ in any bucket; - is "
            "a standard stream, and everything else a path.",
            autocompletion=addresses,
        ),
    ],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Everything in a folder or under a prefix.")
    ] = False,
    include: Include = None,
    exclude: Exclude = None,
    dry_run: DryRun = False,
    stack: OfStack = "",
    endpoint: Endpoint = "",
    parallel: Hands = HANDS,
    as_json: AsJson = False,
) -> None:
    """Copy files into buckets, out of them and between them.

    What was cut off goes on where it was when the same command is given again. Every byte is compared
    by checksum, and a file has its name only once it is whole.
    """
    session: Session = ctx.obj
    began, tally = time.monotonic(), Tally()
    given = address_of(source), address_of(target)
    _check_pair(*given, is_recursive=recursive)
    door = door_of(session.home, endpoint, stack, tally)
    origin, goal = (door.bucket(address) if isinstance(address, Remote) else address for address in given)
    with crew_of(door, tally, parallel, "Copying") as crew:
        if isinstance(origin, Stream) or isinstance(goal, Stream):
            _stream(crew, origin, goal)
        else:
            choice = Choice(tuple(include or ()), tuple(exclude or ()))
            errands = _errands(door.client, origin, goal, recursive, choice, tally)
            if dry_run:
                tell_plan(errands, [], as_json)
                return
            carry_all(crew, errands)
    # What is printed beside an object would be taken for a part of it.
    tell_result(tally, began, as_json and not isinstance(goal, Stream))


def _check_pair(source: Address, target: Address, is_recursive: bool) -> None:
    """Raises: UserError for two that nothing can be copied between."""
    if not isinstance(source, Remote) and not isinstance(target, Remote):
        raise bad_address(str(source), "Neither of the two is in a bucket, and for files there is cp.")
    if is_recursive and (isinstance(source, Stream) or isinstance(target, Stream)):
        raise bad_address("-", "A stream is one object, and --recursive copies many.")
    for remote in (source, target):
        if isinstance(remote, Remote) and remote.is_folder and Stream() in (source, target):
            raise bad_address(str(remote), "A stream is one object, and this names none: write its whole key.")


def _stream(crew: Crew, source: Address, target: Address) -> None:
    if isinstance(target, Remote):
        crew.tally.was_copied(str(target), upload_stream(crew, sys.stdin.buffer, target))
    elif isinstance(source, Remote):
        crew.tally.was_copied(str(source), download_stream(crew, source, sys.stdout.buffer))


def _errands(
    client: S3Client, source: Address, target: Address, is_recursive: bool, choice: Choice, tally: Tally
) -> list[Errand]:
    assert not isinstance(source, Stream)
    assert not isinstance(target, Stream)
    if is_recursive:
        below = _as_folder(source), _as_folder(target)
        if isinstance(below[0], Local):
            _check_folder(below[0])
            entries = list(files_of(below[0], choice, tally.has_failed))
        else:
            entries = list(objects_of(client, below[0], choice))
        if not entries and not tally.failed:
            raise UserError(Diagnostic("Nothing to copy", f"There is nothing in {source}.", suggestion="weyr ls"))
        return [errand_of(entry, *below) for entry in entries]
    entry = _entry(client, source)
    name = source.key.rpartition("/")[2] if isinstance(source, Remote) else source.path.name
    if isinstance(target, Remote):
        key = target.key + name if target.is_folder else target.key
        return [Errand(entry, source, Remote(target.bucket, key))]
    is_folder = target.is_folder or target.path.is_dir()
    return [Errand(entry, source, Local(target.path / name if is_folder else target.path, is_folder=False))]


def _entry(client: S3Client, source: Local | Remote) -> Entry:
    """The one thing to copy. Raises: UserError where it is a folder, or not there."""
    if isinstance(source, Remote):
        if source.is_folder:
            detail = f"{source} is everything under a prefix. Copy it with --recursive."
            raise UserError(Diagnostic("Not one object", detail, suggestion=f"weyr cp -r {source} …"))
        with explained():
            found, _ = calls.head(client, source.bucket, source.key)
        return Entry(found.key.rpartition("/")[2], found.size, found.modified_s, found.etag)
    if source.path.is_dir():
        detail = f"{source.path} is a folder. Copy what is in it with --recursive."
        raise UserError(Diagnostic("Not one file", detail, suggestion=f"weyr cp -r {source.path} …"))
    try:
        state = source.path.stat()
        with source.path.open("rb"):
            pass
    except OSError as e:
        raise _no_file(source.path, e) from e
    return Entry(source.path.name, state.st_size, state.st_mtime)


def _as_folder(place: Local | Remote) -> Local | Remote:
    if isinstance(place, Remote):
        return place if place.is_folder else Remote(place.bucket, f"{place.key}/")
    return Local(place.path, is_folder=True)


def _check_folder(folder: Local) -> None:
    if not folder.path.is_dir():
        raise _no_file(folder.path, NotADirectoryError(0, "there is no such folder"))


def _no_file(path: Path, error: OSError) -> UserError:
    detail = f"{LocalTrouble(f'{path} cannot be read: {error.strerror}')}."
    return UserError(Diagnostic("Nothing to copy", detail, suggestion="weyr cp --help"))
