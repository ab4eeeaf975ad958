"""What must a store of runs' files be able to do? The port between tracking and the object store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from weyr.core.seal import ListedFile


@dataclass(frozen=True, slots=True)
class Place:
    """A key, or a prefix of keys, in one bucket. `key` has no slash at either end."""

    bucket: str
    key: str = ""

    @property
    def path(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def s3_uri(self) -> str:
        return f"s3://{self.path}"

    def under(self, *parts: str) -> "Place":
        return Place(self.bucket, "/".join(part for part in (self.key, *parts) if part))

    def with_parents(self) -> tuple["Place", ...]:
        """Itself and every folder it lies in, up to the bucket."""
        parts = self.key.split("/") if self.key else []
        return tuple(Place(self.bucket, "/".join(parts[:count])) for count in range(len(parts), -1, -1))


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """A file or a folder directly below the listed place; `name` has no slash."""

    name: str
    is_dir: bool
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ArtifactContent:
    """A file being read: how long it is, and its bytes in portions of bounded size."""

    size_bytes: int
    chunks: AsyncIterator[bytes]


class ArtifactMissing(Exception):
    """There is no such file, or no such bucket."""


class ArtifactStoreSilent(Exception):
    """The store did not do what was asked; nothing is known about the file."""


class ArtifactStore(Protocol):
    """Files by bucket and key.

    Promises: a file is there whole or not at all, and on disk when `put` returns; memory stays
    bounded whatever a file's size.

    Raises: ArtifactMissing, or ArtifactStoreSilent when the store cannot be reached.
    """

    async def put(self, place: Place, chunks: AsyncIterator[bytes]) -> None: ...

    async def get(self, place: Place) -> ArtifactContent: ...

    async def entries(self, place: Place) -> Sequence[ArtifactEntry]:
        """What is directly below; nothing for a file, and for a folder that is not there."""
        ...

    async def files(self, place: Place, files_max: int) -> Sequence[ListedFile] | None:
        """Every file below, however deep; None where there are more than `files_max`."""
        ...

    async def delete(self, place: Place) -> None:
        """The file, or everything below. Idempotent."""
        ...
