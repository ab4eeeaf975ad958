"""`weyr s3 replicate` and `weyr s3 replication`: a bucket in a second place, and how far behind that is."""

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say, table
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.units import duration_text, size_text
from weyr.gateway.s3.replication.asking import Door
from weyr.gateway.s3.replication.queue import Lag, lags_in
from weyr.gateway.s3.replication.rules import simple_document
from weyr.gateway.s3.replication.target import Refused, TargetAway
from weyr.gateway.s3.signing import Keys

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def replicate(
    bucket: Annotated[str, typer.Argument(help="The bucket that is to be in a second place.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="A replica that the server was started with.")],
    prefix: Annotated[str, typer.Option(help="Only keys that begin so.")] = "",
    keep_deleted: Annotated[bool, typer.Option("--keep-deleted", help="Leave there what is deleted here.")] = False,
    endpoint: Annotated[
        str, typer.Option(help="Where the bucket is served; $AWS_ENDPOINT_URL where it is not said.")
    ] = "",
) -> None:
    """Replicate a bucket: all that is in it and all that will be. $AWS_ACCESS_KEY_ID and so on say who asks."""
    url = endpoint or next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "http://127.0.0.1:9000")
    parts = urlsplit(url)
    access_key, secret = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _cannot(f"{url} is no http:// or https:// address.")
    if not access_key or not secret:
        raise _cannot("$AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY are not set.")
    token = os.environ.get("AWS_SESSION_TOKEN", "")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    door = Door(parts.netloc, parts.scheme == "https", Keys(access_key, secret, region, token))
    try:
        document = simple_document(to, prefix, sends_deletes=not keep_deleted)
        door.ask("PUT", bucket, "", [("replication", "")], body=document)
    except (Refused, TargetAway) as e:
        raise _cannot(f"{e}") from e
    finally:
        door.close()
    say(f"{bucket} is replicated to {to}. See: weyr s3 replication --data DIR")


def replication(
    data: Annotated[Path, typer.Option("--data", help="Folder of the buckets.")],
    as_json: AsJson = False,
) -> None:
    """Show how far behind the replicas are, of a server that runs or one that is stopped."""
    index = data.expanduser().absolute() / "index.db"
    try:
        with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True, timeout=10)) as db:
            lags = lags_in(db, int(time.time() * 1000))
    except sqlite3.Error as e:
        detail = f"{index} cannot be read: {e}."
        raise UserError(Diagnostic("There are no buckets", detail, suggestion="weyr s3 replication --help")) from e
    if as_json:
        put_json([asdict(lag) for lag in lags])
    elif not lags:
        say("No bucket is replicated. See: weyr s3 replicate --help")
    else:
        headings = ("bucket", "replica", "lag", "waiting", "bytes", "failing", "sent", "last error")
        put(table(headings, [_row(lag) for lag in lags], right=frozenset(range(2, 7))))


def _row(lag: Lag) -> tuple[str, ...]:
    waiting = f"{lag.waiting}+" if lag.is_scanning else f"{lag.waiting}"
    return (
        lag.bucket,
        lag.target,
        duration_text(lag.lag_s),
        waiting,
        size_text(lag.waiting_bytes),
        str(lag.failing),
        str(lag.sent),
        lag.last_error,
    )


def _cannot(detail: str) -> UserError:
    return UserError(Diagnostic("The bucket cannot be replicated", detail, suggestion="weyr s3 replicate --help"))
