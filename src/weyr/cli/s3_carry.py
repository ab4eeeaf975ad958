"""How does a bucket leave as plain files, and come back? `weyr s3 export` and `weyr s3 import`."""

import asyncio
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.bar import bar
from weyr.cli.boundary import FAILED
from weyr.cli.options import AsJson
from weyr.cli.screen import put_json, say
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.gateway.s3.api_buckets import is_bucket_name
from weyr.gateway.s3.care.checkup import InUse, held
from weyr.gateway.s3.care.export import OpenTarget, exported
from weyr.gateway.s3.care.imports import Malformed, imported
from weyr.gateway.s3.care.targets import FolderTarget, TarTarget
from weyr.gateway.s3.copying import INDEX
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.keyring import KeysUnusable, keyring_of
from weyr.gateway.s3.start import KEYS

SHOWN_MAX = 20
FOLDER_HELP = (
    "A folder of plain files that is a bucket, read-only: every signed user may read it; once per folder. No link in "
    "it is followed."
)
Data = Annotated[Path, typer.Option("--data", help="Folder of the buckets.")]
Keys = Annotated[
    Path | None, typer.Option("--keys", help="File of the keys, where it is not keys.json in that folder.")
]


def folder_bucket(text: str, data: Path) -> tuple[str, Path]:
    """The bucket and the folder of `NAME=PATH`. Raises: UserError."""
    name, equals, given = text.partition("=")
    path = Path(given).expanduser().resolve()
    summary, why = "The S3 plane cannot start", ""
    if not equals or not is_bucket_name(name):
        why = f"A folder is given as NAME=PATH, and {text!r} is not: NAME has to be a bucket's."
    elif not path.is_dir():
        why = f"{path} is no folder."
    elif path in (data, *data.parents) or data in path.parents:
        why = f"{path} has to do with the buckets' own data in {data}: it would show what the door protects."
    if why:
        raise _cannot(summary, why, "serve")
    return name, path


def export(
    bucket: Annotated[str, typer.Argument(help="The bucket.")],
    to: Annotated[Path, typer.Argument(help="A folder, made if it is not there; or a file whose name ends in .tar.")],
    data: Data,
    versions: Annotated[bool, typer.Option("--versions", help="Older versions and delete markers too.")] = False,
    keys: Keys = None,
    as_json: AsJson = False,
) -> None:
    """Write a bucket as plain files with a manifest, also while it is served; encrypted objects are opened.

    What was cut off goes on where it was, in a folder. Exits with 1 where something had to be left out.
    """
    folder, to = data.expanduser().absolute(), to.expanduser().absolute()
    if not (folder / INDEX).exists():
        raise _cannot("The bucket cannot be exported", f"There are no buckets in {folder}.", "export")
    try:
        keyring = keyring_of(keys or folder / KEYS, (), folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        target: OpenTarget = partial(TarTarget if to.suffix == ".tar" else FolderTarget, to)
        aside = to.with_name(f"{to.name}.index")
        with bar("Exporting") as on_progress:
            done = exported(folder, bucket, keyring, target, aside, versions, on_progress)
    except S3Error as e:
        raise _cannot("The bucket cannot be exported", f"{bucket}: {e.message}", "export") from e
    except (KeysUnusable, OSError, sqlite3.Error) as e:
        raise _cannot("The bucket cannot be exported", f"{e}.", "export") from e
    if as_json:
        left_out = [{"key": key, "why": why} for key, why in done.left_out]
        put_json(
            {"objects": done.objects, "bytes": done.bytes, "already_there": done.already_there, "left_out": left_out}
        )
    else:
        say(f"{done.objects} objects of {done.bytes} bytes are in {to}; {done.already_there} were there already.")
        _tell("Left out", done.left_out)
    if done.left_out:
        raise typer.Exit(FAILED)


def bring(
    source: Annotated[Path, typer.Argument(help="An export, or any folder of files.")],
    bucket: Annotated[str, typer.Argument(help="The bucket; it is made if it is not there.")],
    data: Data,
    owner: Annotated[str, typer.Option(help="Whose a bucket is that has to be made.")] = "weyr",
    as_json: AsJson = False,
) -> None:
    """Take an export, or any folder of files, into a bucket that is not served. `weyr sync` does it through the door.

    Each file is compared with the manifest. What is there already is passed over. Exits with 1 where something was
    refused.
    """
    folder, source = data.expanduser().absolute(), source.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with held(folder), bar("Importing") as on_progress:
            now_ms = int(time.time() * 1000)
            done = asyncio.run(imported(folder, source, bucket, owner, now_ms, on_progress))
    except InUse as e:
        raise _cannot("The files cannot be imported", f"{e} Stop it first, or use `weyr sync`.", "import") from e
    except S3Error as e:
        raise _cannot("The files cannot be imported", f"{bucket}: {e.message}", "import") from e
    except (Malformed, OSError, ValueError, sqlite3.Error) as e:
        raise _cannot("The files cannot be imported", str(e), "import") from e
    if as_json:
        refused = [{"key": key, "why": why} for key, why in done.refused]
        put_json(
            {"objects": done.objects, "bytes": done.bytes, "already_there": done.already_there, "refused": refused}
        )
    else:
        say(
            f"{done.objects} objects of {done.bytes} bytes came into {bucket}; {done.already_there} were there already."
        )
        _tell("Refused", done.refused)
    if done.refused:
        raise typer.Exit(FAILED)


def _tell(what: str, pairs: "tuple[tuple[str, str], ...] | list[tuple[str, str]]") -> None:
    for key, why in pairs[:SHOWN_MAX]:
        say(f"{what}: {key!r}: {why}")
    if len(pairs) > SHOWN_MAX:
        say(f"… and {len(pairs) - SHOWN_MAX} more; --json has them all.")


def _cannot(summary: str, detail: str, name: str) -> UserError:
    return UserError(Diagnostic(summary, detail, suggestion=f"weyr s3 {name} --help"))
