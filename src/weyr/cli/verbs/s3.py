"""`weyr s3`: an S3 of its own, without a stack or a server."""

import json
import logging
import os
import re
import sqlite3
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from weyr.cli import s3_care, s3_carry
from weyr.cli.group import verb, verb_app
from weyr.cli.options import AsJson, seconds
from weyr.cli.outside import REMOTE_HELP, TIER_HELP, reach_of
from weyr.cli.s3_environment import said_in
from weyr.cli.s3_replicas import replicate, replication
from weyr.cli.screen import put, say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.gateway.s3.accounts import User, Users, kept_user
from weyr.gateway.s3.call import REGION
from weyr.gateway.s3.keyring import KeysUnusable, rotate
from weyr.gateway.s3.remote.place import ENVIRONMENT
from weyr.gateway.s3.start import KEYS, WORKERS_MAX, CannotStart, Settings, usual_workers
from weyr.gateway.s3.start import serve as run

app = verb_app("Serve buckets over S3, without a stack.")

USERS = "WEYR_S3_USERS"
KEPT_USER = "user.json"


@app.callback()
def s3() -> None:
    """Serve buckets over S3, without a stack."""


@verb(app, "weyr s3 serve --data buckets --port 9000 --user alice:ALICEKEY:alices-secret")
def serve(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of the buckets; it is made if it is not there. $MINIO_VOLUMES counts too."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where to listen; 0 for any free port. Without it, that of $MINIO_ADDRESS, $GATEWAY_LISTEN, or 9000.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The address to listen on. Without it, that of the same variables, or 127.0.0.1."),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:ACCESS_KEY:SECRET",
            help=f"Somebody who may call; give it once per user. ${USERS}, --users-file and $MINIO_ROOT_USER with "
            "$MINIO_ROOT_PASSWORD keep secrets off the line.",
        ),
    ] = None,
    users_file: Annotated[
        Path | None, typer.Option("--users-file", help="A file with one NAME:ACCESS_KEY:SECRET a line.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="The region that buckets say they are in: $MINIO_SITE_REGION or us-east-1 without it."),
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name of this machine before which clients put the bucket's (BUCKET.NAME); once per name. "
            "$MINIO_DOMAIN counts too.",
        ),
    ] = None,
    kms_key: Annotated[
        list[str] | None,
        typer.Option(
            "--kms-key",
            metavar="NAME",
            help="A key that objects may be encrypted with by its name (aws:kms); it is made if it is not there.",
        ),
    ] = None,
    lifecycle_day: Annotated[
        float,
        typer.Option(
            "--lifecycle-day",
            parser=seconds,
            metavar="DURATION",
            help="How long a day of a lifecycle rule lasts; a few seconds let tests see one end.",
        ),
    ] = "24h",  # type: ignore[assignment] # Typer parses the default as it parses what is given
    scrub_every: Annotated[
        float,
        typer.Option(
            "--scrub-every",
            parser=seconds,
            metavar="DURATION",
            help="How often all that is kept is read and compared with what was written.",
        ),
    ] = "7d",  # type: ignore[assignment] # as above
    webhook: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=URL", help="Whom buckets may tell of their objects; once per webhook."),
    ] = None,
    remote: Annotated[list[str] | None, typer.Option(metavar="NAME=URL", help=REMOTE_HELP)] = None,
    plain_folder: Annotated[
        list[str] | None, typer.Option("--folder", metavar="NAME=PATH", help=s3_carry.FOLDER_HELP)
    ] = None,
    tier: Annotated[list[str] | None, typer.Option(metavar="CLASS=URL", help=TIER_HELP)] = None,
    remote_keys: Annotated[
        Path | None,
        typer.Option(
            "--remote-keys",
            exists=True,
            dir_okay=False,
            help="A JSON file of what opens places elsewhere: {NAME: {access_key_id: …}}.",
        ),
    ] = None,
    cache_size: Annotated[
        str, typer.Option("--cache-size", metavar="SIZE", help="How much of what is elsewhere is cached here.")
    ] = "10GiB",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=WORKERS_MAX,
            help="Processes that answer requests: as many as this machine has cores, at most 4, where it is not said.",
        ),
    ] = None,
    replica: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URL",
            help="Where buckets may be replicated to: file:///folder, http://host:port of another Weyr, s3://, gs://,"
            " az://; once per place. $WEYR_REMOTE_<NAME>_… hold its keys.",
        ),
    ] = None,
    access_logs_every: Annotated[
        float,
        typer.Option(
            "--access-logs-every",
            parser=seconds,
            metavar="DURATION",
            help="How often the access logs of buckets that have one are delivered.",
        ),
    ] = "60s",  # type: ignore[assignment] # as above
    as_json: AsJson = False,
) -> None:
    """Serve S3 in the foreground until Ctrl-C. Each user owns what it makes and sees nothing of the others'."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        said = said_in(os.environ)
        folder = _folder(data or said.data)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = _users(user or [], users_file, folder, said.user)
        accounts = Users(users)
        reach = reach_of(remote or [], tier or [], remote_keys, cache_size, users[0].name)
    except (OSError, ValueError) as e:
        raise _cannot(f"{e}.") from e
    settings = Settings(
        data=folder,
        audit=folder / "audit.jsonl",
        host=host or said.host or "127.0.0.1",
        port=port if port is not None else said.port if said.port is not None else 9000,
        region=region or said.region or REGION,
        named_keys=tuple(kms_key or ()),
        sweep_every_s=min(10.0, max(0.2, lifecycle_day / 4)),
        day_s=lifecycle_day,
        scrub_every_s=scrub_every,
        domains=(*(domain or ()), *said.domains),
        reach=reach,
        folders=dict(s3_carry.folder_bucket(text, folder) for text in plain_folder or []),
        logs_every_s=access_logs_every,
        webhooks=dict(_webhook(text) for text in webhook or []),
        workers=workers or usual_workers(),
        replicas=dict(_replica(text) for text in replica or []),
        remote_environment={name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)},
    )

    if said.read:
        say(f"From the environment, where no option says otherwise: {', '.join(said.read)}.")
    if said.unread:
        say(f"Not read, since nothing here does what they ask for: {', '.join(said.unread)}.")

    def ready(url: str) -> None:
        if as_json:
            put(json.dumps({"url": url, "pid": os.getpid(), "users": [user.name for user in users]}))
            sys.stdout.flush()
        else:
            say(f"S3 is up: {url}. Data in {folder}. Ctrl-C stops it.")

    try:
        run(settings, accounts, ready)
    except CannotStart as e:
        raise _cannot(str(e)) from e


@verb(app, "weyr s3 rotate-key --data buckets")
def rotate_key(
    data: Annotated[Path, typer.Option("--data", help="Folder of the buckets.")],
    keys: Annotated[
        Path | None, typer.Option("--keys", help="File of the keys, where it is not keys.json in that folder.")
    ] = None,
) -> None:
    """Replace the key that wraps those of encrypted buckets. No object is read or written; nothing may serve them."""
    folder = data.expanduser().absolute()
    try:
        count = rotate(folder, keys or folder / KEYS)
    except (KeysUnusable, OSError, sqlite3.Error) as e:
        detail = f"{e}"
        raise UserError(Diagnostic("The key cannot be replaced", detail, suggestion="weyr s3 rotate-key --help")) from e
    say(f"A new key wraps those of {count} encrypted {'bucket' if count == 1 else 'buckets'}. The old one is gone.")


verb(app, "weyr s3 replicate lake --to backup --endpoint http://127.0.0.1:9000")(replicate)
verb(app, "weyr s3 replication --data buckets")(replication)
verb(app, "weyr s3 scrub --data buckets")(s3_care.scrub)
verb(app, "weyr s3 fsck --data buckets")(s3_care.fsck)
verb(app, "weyr s3 export lake lake-files --data buckets")(s3_carry.export)
verb(app, "weyr s3 import lake-files lake --data buckets", "import")(s3_carry.bring)


def _folder(data: Path | None) -> Path:
    if data is None:
        raise _cannot("Nothing says where the buckets are to be: --data DIR.")
    return data.expanduser().absolute()


def _users(given: list[str], file: Path | None, folder: Path, root: User | None) -> list[User]:
    """Who may call: from the line, the file and the environment; one is made where there is none."""
    lines = [*given, *os.environ.get(USERS, "").split()]
    if file is not None:
        lines += [line for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    if lines:
        return [User.of(line) for line in lines]
    if root is not None:
        return [root]
    user, is_new = kept_user(folder / KEPT_USER)
    if is_new:
        say(f"A user was made, and is kept in {folder / KEPT_USER}:")
        say(f"  export AWS_ACCESS_KEY_ID={user.access_key} AWS_SECRET_ACCESS_KEY={user.secret}")
    return [user]


def _webhook(text: str) -> tuple[str, str]:
    """The name and the URL of `NAME=URL`. Raises: UserError."""
    name, _, url = text.partition("=")
    parts = urlsplit(url)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _cannot(f"A webhook is NAME=URL, and {name!r} is not one.")
    return name, url


def _replica(text: str) -> tuple[str, str]:
    """The name and the URL of `NAME=URL`. Raises: UserError."""
    name, _, url = text.partition("=")
    if not name or not url:
        raise _cannot("A replica is NAME=URL.")
    return name, url


def _cannot(detail: str) -> UserError:
    return UserError(Diagnostic("The S3 plane cannot start", detail, suggestion="weyr s3 serve --help"))
