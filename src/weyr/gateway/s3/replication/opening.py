"""Which targets is the plane started with? `NAME=URL` and the keys from the environment or a file, made targets.

file:///folder                       there has to be such a folder
http://host:port[/bucket]            another Weyr; WEYR_REMOTE_<NAME>_ACCESS_KEY_ID and …_SECRET_ACCESS_KEY
s3:// gs:// az://                    as `weyr.gateway.s3.remote.place` has them
"""

import asyncio
import hashlib
import importlib
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from weyr.gateway.s3.remote.place import Place, PlaceProblem, keys_for, place_of, variables
from weyr.gateway.s3.remote.problems import RemoteProblem
from weyr.gateway.s3.replication.asking import Door
from weyr.gateway.s3.replication.door import DoorTarget
from weyr.gateway.s3.replication.folder import FolderTarget
from weyr.gateway.s3.replication.target import Target
from weyr.gateway.s3.signing import Keys

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_DOOR_KEYS = {"access_key_id", "secret_access_key", "region"}


def opened(
    urls: Mapping[str, str],
    environment: Mapping[str, str],
    file: Path | None,
    data: Path,
    loop: asyncio.AbstractEventLoop,
) -> dict[str, Target]:
    """Name → target. Takes: `data`, the plane's own folder. Raises: PlaceProblem, in words for the user."""
    targets: dict[str, Target] = {}
    for name, url in urls.items():
        if not _NAME.fullmatch(name):
            raise PlaceProblem(f"{name!r} cannot name a replica: small letters, digits, dots and dashes, at most 63")
        keys = keys_for(name, environment, file)
        if urlsplit(url).scheme in ("http", "https"):
            targets[name] = _door(name, url, keys, _origin(data))
            continue
        place = place_of(name, url, keys)
        if place.scheme == "file":
            targets[name] = _folder(name, place.folder, data)
            continue
        targets[name] = _cloud(name, place, loop)
    return targets


def _door(name: str, url: str, keys: Mapping[str, str], origin: str) -> DoorTarget:
    parts = urlsplit(url)
    bucket = parts.path.strip("/")
    if parts.username or parts.password:
        raise PlaceProblem(f"the URL of {name} holds credentials; put them into {variables(name)}…")
    if not parts.hostname or "/" in bucket or parts.query or parts.fragment:
        raise PlaceProblem(f"the URL of {name} is not http://host:port or http://host:port/bucket")
    if not {"access_key_id", "secret_access_key"} <= keys.keys() <= _DOOR_KEYS:
        wanted = f"{variables(name)}ACCESS_KEY_ID and {variables(name)}SECRET_ACCESS_KEY"
        raise PlaceProblem(f"{name} ({url}) needs {wanted} in the environment")
    region = keys.get("region", "us-east-1")
    signing = Keys(keys["access_key_id"], keys["secret_access_key"], region)
    return DoorTarget(name, origin, Door(parts.netloc, parts.scheme == "https", signing), bucket)


def _cloud(name: str, place: Place, loop: asyncio.AbstractEventLoop) -> Target:
    # Only who has a place in a cloud loads its client (4 MB of memory, measured 2026-11).
    module = importlib.import_module("weyr.gateway.s3.replication.cloud")
    try:
        target: Target = module.cloud_target(name, place, loop)
    except RemoteProblem as e:
        raise PlaceProblem(str(e)) from e
    return target


def _folder(name: str, folder: Path, data: Path) -> FolderTarget:
    if not folder.is_dir():
        raise PlaceProblem(f"the folder {folder} of {name} is not there; make it, so that nothing lands beside a disk")
    here, there = data.resolve(), folder.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise PlaceProblem(f"the folder {folder} of {name} is the data's own, or one holds the other")
    return FolderTarget(name, folder)


def _origin(data: Path) -> str:
    """What this plane is called at the others."""
    return f"weyr-{hashlib.sha256(f'{socket.gethostname()}:{data.resolve()}'.encode()).hexdigest()[:12]}"
