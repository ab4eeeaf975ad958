"""`weyr ls`: what is in a bucket, and which buckets are there."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from weyr.cli.boundary import FAILED
from weyr.cli.completing import addresses
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.s3_door import Endpoint, OfStack, door_of, explained
from weyr.cli.screen import put, say
from weyr.core.units import size_text
from weyr.transfer import calls
from weyr.transfer.address import remote_of
from weyr.transfer.calls import Folder, Found
from weyr.transfer.client import S3Client

app = verb_app()


@verb(app, "weyr ls\nweyr ls lake:checkpoints/\nweyr ls -r s3://digits-lake/ --json")
def ls(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHERE",
            help="lake: or lake:train/ in the bucket that the stack's file calls lake, or s3://NAME/; default: the "
            "buckets.",
            autocompletion=addresses,
        ),
    ] = "",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Every key, not only up to the next slash.")
    ] = False,
    stack: OfStack = "",
    endpoint: Endpoint = "",
    as_json: AsJson = False,
) -> None:
    """List buckets, or what is in one. It exits with 1 where there is nothing."""
    session: Session = ctx.obj
    remote = remote_of(what) if what else None
    door = door_of(session.home, endpoint, stack)
    with explained():
        rows: Iterator[dict[str, object]]
        if remote is None:
            rows = ({"bucket": name, "made_at": made_at} for name, made_at in calls.buckets(door.client))
        else:
            place = door.bucket(remote)
            rows = _rows(door.client, place.bucket, place.key, "" if recursive else "/")
        count, size = _print(rows, as_json)
    if remote is not None and not as_json and count:
        say(f"{count:,} {'row' if count == 1 else 'rows'}, {size_text(size)}.")
    if not count:
        say(f"There is nothing in {remote}." if remote else "There is no bucket.")
        raise typer.Exit(FAILED if remote is not None and remote.key else 0)


def _rows(client: S3Client, bucket: str, prefix: str, delimiter: str) -> Iterator[dict[str, object]]:
    for row in calls.listed(client, bucket, prefix, delimiter):
        match row:
            case Folder(prefix=name):
                yield {"prefix": name}
            case Found() as found:
                yield {
                    "key": found.key, "size_bytes": found.size, "modified_at": found.modified_s, "etag": found.etag,
                }  # fmt: skip


def _print(rows: Iterator[dict[str, object]], as_json: bool) -> tuple[int, int]:
    """Prints the rows as they come; a million of them are not held. Gives how many, and how large."""
    count = size = 0
    row = next(rows, None)
    if as_json:
        put("[")
    while row is not None:
        count += 1
        size += int(str(row.get("size_bytes") or 0))
        this, row = row, next(rows, None)
        put(f"  {json.dumps(this, ensure_ascii=False)}{',' if row else ''}" if as_json else _line(this))
    if as_json:
        put("]")
    return count, size


def _line(row: dict[str, object]) -> str:
    moment = row.get("modified_at") or row.get("made_at")
    when = f"{datetime.fromtimestamp(float(str(moment))):%Y-%m-%d %H:%M:%S}" if moment else ""
    size = size_text(int(str(row["size_bytes"]))) if "size_bytes" in row else ""
    name = str(row.get("key") or row.get("prefix") or row.get("bucket") or "")
    # A key may hold what a terminal would obey.
    shown = "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in name)
    return f"{when:19}  {size:>10}  {shown}"
