"""What does the environment of a server that Weyr replaces say to `weyr s3 serve`? MinIO's and LocalStack's variables.

An option on the command line, and a user that is given otherwise, count first. What is read is said when the plane
starts, and so is what is not.
Source: https://min.io/docs/minio/linux/reference/minio-server/settings.html and
https://docs.localstack.cloud/references/configuration (2026-11).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weyr.gateway.s3.accounts import User

ROOT = ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD")
READ = (
    *ROOT, "MINIO_ADDRESS", "MINIO_DOMAIN", "MINIO_REGION", "MINIO_SITE_REGION", "MINIO_VOLUMES", "GATEWAY_LISTEN",
    "LOCALSTACK_HOST",
)  # fmt: skip
_HARMLESS = ("MINIO_BROWSER", "MINIO_CONSOLE_ADDRESS", "MINIO_UPDATE", "MINIO_SERVER_URL", "MINIO_OPTS")
"""What says something of a console or of an address that clients are told: there is nothing here to set."""
_SIZES = re.compile(r"\{[^}]*\.\.\.[^}]*\}")


@dataclass(frozen=True, slots=True)
class Said:
    """What was found; "" and None where nothing was."""

    user: User | None = None
    data: Path | None = None
    host: str = ""
    port: int | None = None
    region: str = ""
    domains: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    """The variables that count."""
    unread: tuple[str, ...] = ()
    """Those of MinIO that ask for something which they do not get here."""


def said_in(environment: Mapping[str, str]) -> Said:
    """Raises: ValueError for a variable that is set and cannot be meant here, in words for the user."""
    read = [name for name in READ if environment.get(name)]
    host, port = _address(environment)
    domains = [domain for domain in environment.get("MINIO_DOMAIN", "").split(",") if domain]
    if name := environment.get("LOCALSTACK_HOST", "").partition(":")[0]:
        domains.append(f"s3.{name}")
    unread = [name for name in sorted(environment) if name.startswith("MINIO_") and name not in (*READ, *_HARMLESS)]
    return Said(
        user=_root(environment),
        data=_folder(environment.get("MINIO_VOLUMES", "")),
        host=host,
        port=port,
        region=environment.get("MINIO_SITE_REGION") or environment.get("MINIO_REGION", ""),
        domains=tuple(domains),
        read=tuple(read),
        unread=tuple(unread),
    )


def _root(environment: Mapping[str, str]) -> User | None:
    """MinIO's root user: its name is its access key too."""
    name, secret = (environment.get(variable, "") for variable in ROOT)
    if not name and not secret:
        return None
    if not name or not secret:
        raise ValueError(f"{ROOT[0]} and {ROOT[1]} are set together or not at all")
    return User.of(f"{name}:{name}:{secret}")


def _folder(volumes: str) -> Path | None:
    if not volumes:
        return None
    if len(volumes.split()) > 1 or _SIZES.search(volumes) or "://" in volumes:
        raise ValueError("MINIO_VOLUMES names several places, and weyr keeps its data in one folder: --data says which")
    return Path(volumes)


def _address(environment: Mapping[str, str]) -> tuple[str, int | None]:
    """Where to listen. `:9000` says no host, and leaves it at loopback: to the others it is every address there is."""
    for name in ("MINIO_ADDRESS", "GATEWAY_LISTEN"):
        text = environment.get(name, "").split(",")[0].strip()
        if not text:
            continue
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"{name} is HOST:PORT, and {text!r} is not")
        return host.strip("[]"), int(port)
    return "", None
