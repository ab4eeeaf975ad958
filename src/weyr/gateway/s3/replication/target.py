"""What is a place that objects are replicated to, and what does it get? The protocol of targets, and what is sent.

    file:///folder                  plain files that people can read          replication.folder
    http://host:port[/bucket]       another Weyr                              replication.door
    s3:// gs:// az://               a bucket of a cloud                       replication.cloud

Every method may block and is called in a thread. A target knows nothing of queues, rules or turns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from weyr.gateway.s3.records import Meta


class TargetAway(Exception):
    """Nothing can be sent to the target now; nothing is wrong with what was to be sent."""


class Refused(Exception):
    """The target does not take this object as it is."""


class SourceGone(Exception):
    """The object was replaced or removed while it was sent."""


class SourceDamaged(Refused):
    """The object's own bytes are not what was put. Rot is not spread."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object as it is to be at the target. `parts` are the sizes of its parts, where it came in some."""

    bucket: str
    key: str
    size: int
    etag: str
    version: str
    modified_ms: int
    meta: Meta
    parts: tuple[int, ...]
    read: Callable[[int, int], Iterator[bytes]]
    """(start, count) → the plain bytes, a piece at a time. Raises: SourceDamaged."""
    close: Callable[[], None]
    """Lets go of what is kept for reading."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece of an object: `count` of its bytes from `start` on."""

    bucket: str
    key: str
    etag: str
    size: int
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A multipart upload at the target that an earlier try began, and how to remember another."""

    upload: str
    upload_of: str
    """The etag of the object that it was begun for."""
    remember: Callable[[str, str], None]


def is_single(url: str) -> bool:
    """Whether a target is one bucket, which takes the objects of one bucket only."""
    parts = urlsplit(url)
    return parts.scheme in ("s3", "gs", "az") or (parts.scheme != "file" and bool(parts.path.strip("/")))


class Target(Protocol):
    """One place. `name` is what rules call it."""

    name: str

    def put(self, item: Item, progress: Progress) -> None:
        """Makes the object what it is here; answered once it is durable there.

        Promises: done twice it is as done once; cut at any moment, the object there is what it was or what it will be.
        Raises: TargetAway, Refused.
        """

    def put_tags(self, item: Item) -> bool:
        """Makes the tags of an object that is there already what they are here. False where another one is there."""

    def has(self, item: Item) -> bool:
        """Whether the object is there as it is here."""

    def delete(self, bucket: str, key: str, at_ms: int) -> None:
        """Ends the key, or puts a delete marker over it; one that is not there is no error."""

    def abandon(self, bucket: str, key: str, upload: str) -> None:
        """Lets go of a multipart upload that `Progress.remember` was told of."""

    def fetch(self, wanted: Wanted) -> Iterator[bytes] | None:
        """The bytes of a piece of an object that has the wanted etag and size; None where it is not there.

        Whoever asks compares them with what it knows. Raises: TargetAway, Refused.
        """

    def bucket_for(self, bucket: str) -> str:
        """What a bucket's objects are under there."""

    def close(self) -> None: ...
