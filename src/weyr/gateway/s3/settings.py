"""What is a plane told when it starts? Where its data is, where it listens, and what it may do beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weyr.gateway.s3.call import REGION
from weyr.gateway.s3.remote.reach import NOWHERE, Reach


class CannotStart(Exception):
    """The plane cannot start here; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the plane keeps its data, and where it listens. `port` 0 takes a free one."""

    data: Path
    audit: Path
    host: str = "127.0.0.1"
    port: int = 0
    region: str = REGION
    control: Path | None = None
    """Unix socket to be steered through."""
    info: Path | None = None
    """File to write pid, port and url to once connections are accepted."""
    keys: Path | None = None
    """File of the keys that wrap those of buckets; `keys.json` among the data where it is not said."""
    named_keys: tuple[str, ...] = ()
    """Names of keys that objects may ask for."""
    sweep_every_s: float = 10.0
    day_s: float = 86_400.0
    """How long a day of a lifecycle rule lasts."""
    webhooks: Mapping[str, str] = field(default_factory=dict)
    """Name → URL of those that buckets may tell of their objects."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """Name → URL of the places that buckets may be replicated to."""
    remote_environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that hold keys to places outside."""
    reach: Reach = NOWHERE
    """The places elsewhere."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Bucket → the folder of plain files that it is, served read-only."""
    domains: tuple[str, ...] = ()
    """Under which a host's name begins with a bucket's, beside those of the own machine."""
    logs_every_s: float = 60.0
    """How often access logs are delivered."""
    scrub_every_s: float = 7 * 86_400.0
    """From the beginning of one walk over all blobs to that of the next."""
    workers: int = 1
    """Processes that answer requests; with more than one there is one more, which writes the index."""
