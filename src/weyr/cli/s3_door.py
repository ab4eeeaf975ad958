"""Which S3 does a verb speak to, with whose keys, and which bucket is meant?

Without `--endpoint` it is the plane of this data folder, if it runs; else what the variables of the AWS CLI name.
"""

import configparser
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from weyr.access.credentials import admin_credentials
from weyr.cli.bar import bar
from weyr.cli.connect import reader
from weyr.cli.objects import rows_of
from weyr.cli.place import admin_token, running
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.gateway.s3.signing import Keys
from weyr.transfer.address import Remote
from weyr.transfer.client import S3Client, S3Refused, Unreachable
from weyr.transfer.crew import Crew
from weyr.transfer.documents import NotS3
from weyr.transfer.tally import Tally

HANDS = 8

Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="Another S3, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or in AWS_PROFILE. Default: the "
        "S3 of this data folder if it runs, else AWS_ENDPOINT_URL, else AWS.",
        rich_help_panel="Where",
    ),
]
Hands = Annotated[
    int, typer.Option("--parallel", min=1, max=64, help="How many requests at the same time.", rich_help_panel="Speed")
]
OfStack = Annotated[
    str,
    typer.Option("--stack", metavar="NAME", help="Whose bucket, where several have one.", rich_help_panel="Where"),
]


@dataclass(frozen=True, slots=True)
class Door:
    """An S3 that was chosen: the client for it, and where the names of buckets in stack files are known."""

    client: S3Client
    home: Path
    stack: str
    is_ours: bool

    def bucket(self, remote: Remote) -> Remote:
        """The address with the bucket's name at the door. Raises: UserError where no stack has such a bucket."""
        if not remote.is_of_stack:
            return remote
        if not self.is_ours:
            detail = f"{remote} is a bucket of a stack, and {self.client.endpoint} knows no stacks. Write s3://NAME/…"
            raise UserError(Diagnostic("No stack there", detail, suggestion="weyr ls --endpoint URL"))
        rows = [row for row in rows_of(reader(self.home).call("GET", "/v1/objects", kind="bucket")) if row.name]
        rows = [row for row in rows if not self.stack or row.stack == self.stack]
        found = [row for row in rows if row.name == remote.bucket]
        if len(found) == 1 and (name := str(found[0].outputs.get("name") or "")):
            return Remote(name, remote.key)
        if len(found) > 1:
            stacks = ", ".join(sorted(row.stack for row in found))
            detail = f"The stacks {stacks} have a bucket {remote.bucket} each. Say which one is meant."
            raise UserError(Diagnostic("Several buckets of that name", detail, suggestion="weyr ls --stack NAME …"))
        known = did_you_mean(remote.bucket, [row.name for row in rows])
        detail = f"No stack has a bucket called {remote.bucket}, or it is not made yet.{known}"
        detail += f" A file of that name is ./{remote}."
        raise UserError(Diagnostic("No such bucket", detail, suggestion="weyr ls"))


def door_of(home: Path, endpoint: str, stack: str, tally: Tally | None = None) -> Door:
    """The S3 to speak to. Raises: UserError where none is named, or where nobody's keys are."""
    count = (tally or Tally()).sent
    plane = running(home, "s3") if not endpoint else None
    if plane is not None:
        admin = admin_credentials(admin_token(home))
        keys = Keys(admin.access_key_id, admin.secret_access_key)
        return Door(S3Client(plane.url, keys, count), home, stack, is_ours=True)
    keys = _keys(os.environ)
    url = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    if not url and not keys.access_key:
        detail = (
            f"No S3 runs on {home}, and neither --endpoint nor AWS_ENDPOINT_URL nor AWS_ACCESS_KEY_ID names another."
        )
        raise UserError(Diagnostic("No S3 to speak to", detail, suggestion="weyr up"))
    try:
        return Door(S3Client(url or f"https://s3.{keys.region}.amazonaws.com", keys, count), home, stack, is_ours=False)
    except ValueError as e:
        raise UserError(Diagnostic("Not an endpoint", f"{e}.", suggestion="weyr cp --help")) from e


@contextmanager
def crew_of(door: Door, tally: Tally, hands: int, what: str) -> Iterator[Crew]:
    """Threads that carry, and a bar on the terminal. When it is interrupted, what runs is broken off at once."""
    with bar(what) as show, ThreadPoolExecutor(hands, "weyr-carry") as pool:
        tally.show = show
        crew = Crew(door.client, door.home / "transfers", tally, pool, hands)
        try:
            with explained():
                yield crew
        except BaseException:
            door.client.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            door.client.close()
            raise
        finally:
            pool.shutdown(wait=True)
            door.client.close()


@contextmanager
def explained() -> Iterator[None]:
    """What an S3 refuses becomes what a user can read. Raises: UserError."""
    try:
        yield
    except S3Refused as e:
        raise UserError(Diagnostic(*_words_of(e), suggestion="weyr ls")) from e
    except NotS3 as e:
        raise UserError(Diagnostic("Not an S3", f"{e}.", suggestion="weyr ls --endpoint URL")) from e
    except Unreachable as e:
        detail = f"The command was broken off: {e}. What has arrived is kept; the same command goes on from there."
        raise UserError(Diagnostic("The S3 does not answer", detail, suggestion="weyr server status")) from e


def _words_of(error: S3Refused) -> tuple[str, str]:
    summary = {
        "NoSuchBucket": "No such bucket",
        "NoSuchKey": "No such object",
        "NotFound": "Not found",
        "AccessDenied": "Not allowed",
        "InvalidAccessKeyId": "Unknown access key",
        "SignatureDoesNotMatch": "Wrong secret key",
        "PreconditionFailed": "The object was changed meanwhile",
        "PermanentRedirect": "The bucket is in another region",
    }.get(error.code, "The S3 refused")
    return summary, f"{error}."


def _keys(environment: Mapping[str, str]) -> Keys:
    """Whose keys the variables name, or else the shared file of the AWS CLI; nobody's where neither does."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    key, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    if key and secret:
        return Keys(key, secret, region, environment.get("AWS_SESSION_TOKEN", ""))
    file = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    kept = configparser.ConfigParser(interpolation=None)
    try:
        kept.read(file)
        profile = kept[environment.get("AWS_PROFILE") or "default"]
        return Keys(
            profile["aws_access_key_id"], profile["aws_secret_access_key"], region, profile.get("aws_session_token", "")
        )
    except (OSError, KeyError, UnicodeError, configparser.Error) as e:
        if environment.get("AWS_PROFILE"):
            detail = f"AWS_PROFILE names {environment['AWS_PROFILE']}, and {file} has no keys for it."
            raise UserError(Diagnostic("Unknown profile", detail, suggestion="weyr cp --help")) from e
        return Keys("", "", region)
