"""What should S3 hold and answer? A model in memory, written from Amazon's documentation and from nothing of ours.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ (PutObject, DeleteObject, ListObjectsV2, ListObjectVersions,
CompleteMultipartUpload) and .../userguide/versioning-workflows.html (2026-11).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

PART_BYTES_MIN = 5 * 2**20


class Refusal(Exception):
    """The code that S3 answers."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Version:
    """One version of a key, or a delete marker. `id` is "null" where none was given."""

    id: str
    body: bytes = b""
    etag: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    is_marker: bool = False


@dataclass
class Upload:
    """A multipart upload that was not finished."""

    key: str
    metadata: tuple[tuple[str, str], ...]
    parts: dict[int, bytes] = field(default_factory=dict)


Item = tuple[str, str]
"""("key", a key) or ("prefix", a common prefix), as a listing has them."""


@dataclass
class Model:
    """One bucket. Version ids are the store's to choose: whoever writes says which it chose."""

    versioning: str = ""
    keys: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    # --- reading

    def current(self, key: str) -> Version | None:
        """The newest version unless it is a delete marker."""
        versions = self.keys.get(key, [])
        return None if not versions or versions[0].is_marker else versions[0]

    def found(self, key: str, version: str | None = None) -> Version:
        if version is None:
            there = self.current(key)
            if there is None:
                raise Refusal("NoSuchKey")
            return there
        for each in self.keys.get(key, []):
            if each.id == version:
                if each.is_marker:
                    raise Refusal("MethodNotAllowed")
                return each
        raise Refusal("NoSuchVersion")

    def read(self, key: str, version: str | None, if_match: str | None, if_none_match: str | None) -> Version:
        there = self.found(key, version)
        if if_match is not None and if_match != there.etag:
            raise Refusal("PreconditionFailed")
        if if_none_match is not None and if_none_match == there.etag:
            raise Refusal("304")
        return there

    # --- writing

    def check_write(self, key: str, if_match: str | None, if_none_match: str | None) -> None:
        there = self.current(key)
        if if_none_match == "*" and there is not None:
            raise Refusal("PreconditionFailed")
        if if_match is not None:
            if there is None:
                raise Refusal("NoSuchKey")
            if there.etag != if_match:
                raise Refusal("PreconditionFailed")

    def add(self, key: str, new: Version) -> None:
        """A version that was put, or a marker: what it replaces depends on how the bucket keeps versions."""
        versions = self.keys.setdefault(key, [])
        if self.versioning != "Enabled":
            versions[:] = [each for each in versions if each.id != "null"]
        versions.insert(0, new)

    def delete(self, key: str, marker: str) -> None:
        """Without a version: `marker` is the id of the delete marker, where one is set."""
        if not self.versioning:
            self.keys.pop(key, None)
        else:
            self.add(key, Version(marker, is_marker=True))

    def delete_version(self, key: str, version: str) -> Version | None:
        """Gives what was removed."""
        versions = self.keys.get(key, [])
        gone = next((each for each in versions if each.id == version), None)
        if gone:
            versions.remove(gone)
        if not versions:
            self.keys.pop(key, None)
        return gone

    def tag(self, key: str, version: str | None, tags: tuple[tuple[str, str], ...]) -> None:
        there = self.found(key, version)
        versions = self.keys[key]
        versions[versions.index(there)] = replace(there, tags=tags)

    # --- multipart

    def complete(self, upload_id: str, numbers: list[int]) -> tuple[str, bytes, str]:
        """(key, body, etag) of a completed upload."""
        upload = self.uploads[upload_id]
        bodies = [upload.parts.get(number) for number in numbers]
        if any(body is None for body in bodies):
            raise Refusal("InvalidPart")
        whole = [body for body in bodies if body is not None]
        if any(len(body) < PART_BYTES_MIN for body in whole[:-1]):
            raise Refusal("EntityTooSmall")
        digests = b"".join(hashlib.md5(body).digest() for body in whole)
        return upload.key, b"".join(whole), f'"{hashlib.md5(digests).hexdigest()}-{len(whole)}"'

    # --- listing

    def objects(self, prefix: str, delimiter: str, after: str) -> list[Item]:
        """Every entry of a listing of current objects, in order; `after` is a marker or start-after."""
        keys = [key for key in self.keys if self.current(key)]
        return list(dict.fromkeys(self._folded(keys, prefix, delimiter, after)))

    def versions(self, prefix: str, delimiter: str) -> list[tuple[str, str, str]]:
        """(kind, key, version id) of every entry of a listing of versions, in order."""
        entries: dict[tuple[str, str, str], None] = {}
        for kind, name in self._folded(self.keys, prefix, delimiter, ""):
            if kind == "prefix":
                entries[kind, name, ""] = None
            else:
                for each in self.keys[name]:
                    entries["marker" if each.is_marker else "version", name, each.id] = None
        return list(entries)

    def uploads_listed(self, prefix: str) -> list[tuple[str, str]]:
        """(key, upload id), by key."""
        found = [(upload.key, id) for id, upload in self.uploads.items() if upload.key.startswith(prefix)]
        return sorted(found, key=lambda each: each[0].encode())

    def _folded(self, keys: Iterable[str], prefix: str, delimiter: str, after: str) -> Iterable[Item]:
        for key in sorted(keys, key=str.encode):
            if not key.startswith(prefix) or key.encode() <= after.encode():
                continue
            folded = fold(key, prefix, delimiter)
            if not folded:
                yield "key", key
            elif folded != after:
                yield "prefix", folded


def fold(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that stands for this key; "" where it stands for itself."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return "" if at < 0 else key[: at + len(delimiter)]


def version_of(id: str, body: bytes, metadata: Mapping[str, str], tags: Mapping[str, str]) -> Version:
    """What a PUT stores."""
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    return Version(id, body, etag, tuple(sorted(metadata.items())), tuple(sorted(tags.items())))
