"""What does the index say? Its rows as values, and the questions about one bucket or one key.

Both the reader's and the writer's side answer them: they only need `one` and `all`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.values import Value

Row = tuple[Any, ...]
NULL_VERSION = "null"


class Inline(NamedTuple):
    """A blob that the index holds itself, with the digests of what was written."""

    blob: int
    data: bytes
    digests: bytes


class Reader(Protocol):
    """The index as either thread sees it."""

    def one(self, sql: str, *values: object) -> Row | None: ...
    def all(self, sql: str, *values: object) -> list[Row]: ...


class Versioning(StrEnum):
    OFF = ""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Rule(Value):
    """A rule of a stack's file: what goes, each after so many seconds, and None for what does not. What moves goes to
    the tier of the class `to`."""

    prefix: str = ""
    expire_after_s: float | None = None
    tags: tuple[tuple[str, str], ...] = ()
    noncurrent_after_s: float | None = None
    abort_after_s: float | None = None
    move_after_s: float | None = None
    noncurrent_move_after_s: float | None = None
    to: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Rule":
        """Raises: ValueError, TypeError for what is no rule."""
        known: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        tags = tuple((str(name), str(value)) for name, value in known.pop("tags", ()))
        known |= {name: float(age) for name, age in known.items() if name.endswith("_after_s")}
        return cls(tags=tags, **known)


@dataclass(frozen=True, slots=True)
class Bucket(Value):
    """`generation` is of the newest wish that its owner sent over the control socket."""

    id: int
    name: str
    created_ms: int
    owner: str
    generation: int
    versioning: Versioning
    lifecycle: tuple[Rule, ...]
    settings: Mapping[str, str]
    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Segment(Value):
    """One blob of an object. An inline one is a row of the index with the bytes in it, one that is away lies at a tier
    (and its number is of the index's table of those), the others are files."""

    blob: int
    size: int
    is_inline: bool = False
    is_away: bool = False


class Encryption(NamedTuple):
    """How an object is encrypted: the mode as `weyr.gateway.s3.encryption.Mode` has it, and its own key, wrapped."""

    mode: str
    by: str
    """The id of the bucket's key, or the name of a named key, that wraps it; "" for a customer's."""
    key: str


@dataclass(frozen=True, slots=True)
class Meta(Value):
    """What is kept of an object beside its bytes. `headers` are given back as they came, user metadata among them."""

    headers: dict[str, str] = field(default_factory=dict)
    checksum: tuple[str, str, str] | None = None
    """Algorithm, value and type, as in the x-amz-checksum headers."""
    tags: dict[str, str] = field(default_factory=dict)
    upload: str = ""
    """The multipart upload this came from, so that a repeated completion is answered as the first was."""
    parts: int = 0
    part_checksums: tuple[str, ...] = ()
    """That of each part in order, where the upload asked for checksums. Their algorithm is that of the whole."""
    owner: str = ""
    """The account that owns it, "" for the bucket's owner."""
    acl: str = ""
    """Its access control list as `weyr.gateway.s3.acl.text_of` writes it, "" for a private one."""
    lock_mode: str = ""
    """GOVERNANCE or COMPLIANCE, until `lock_until_ms`; "" where it is not retained."""
    lock_until_ms: int = 0
    hold: str = ""
    """A legal hold: ON, OFF, or "" where there never was one."""
    encryption: Encryption | None = None
    replica: str = ""
    """The plane that this is a copy from, where replication wrote it."""
    storage_class: str = ""
    """Its class, "" for STANDARD; its bytes are at the tier of that name, or on their way to it."""

    def text(self) -> str:
        fields: tuple[str, ...] = self.__slots__
        return json.dumps({name: value for name in fields if (value := getattr(self, name))}, separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> "Meta":
        fields = json.loads(text)
        if "checksum" in fields:
            fields["checksum"] = tuple(fields["checksum"])
        if "part_checksums" in fields:
            fields["part_checksums"] = tuple(fields["part_checksums"])
        if "encryption" in fields:
            fields["encryption"] = Encryption(*fields["encryption"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one key as the index has it."""

    key: str
    sequence: int
    version: str
    is_marker: bool
    size: int
    etag: str
    modified_ms: int
    segments: tuple[Segment, ...]
    meta: Meta


_BUCKET_COLUMNS = "id, name, created_ms, owner, generation, versioning, lifecycle, settings, objects, size_bytes"
_BUCKET = f"SELECT {_BUCKET_COLUMNS} FROM buckets"
OBJECT_COLUMNS = "key, sequence, version, is_marker, size, etag, modified_ms, segments, meta"
_LOOK = (
    f"SELECT b.{_BUCKET_COLUMNS.replace(', ', ', b.')}, o.{OBJECT_COLUMNS.replace(', ', ', o.')}"
    ", d.id, d.data, d.digests FROM buckets b LEFT JOIN objects o ON o.bucket = b.id AND o.key = ?"
    " LEFT JOIN blobs d ON o.segments >= 'i' AND d.id = CAST(substr(o.segments, 2) AS INTEGER) WHERE b.name = ?"
)


def bucket_named(reader: Reader, name: str) -> Bucket:
    """Raises: S3Error NoSuchBucket."""
    row = reader.one(f"{_BUCKET} WHERE name = ?", name)
    if row is None:
        raise S3Error("NoSuchBucket", BucketName=name)
    return _bucket_of(row)


def bucket_of_id(reader: Reader, number: int) -> Bucket | None:
    """The bucket with this id, None where it was removed."""
    row = reader.one(f"{_BUCKET} WHERE id = ?", number)
    return _bucket_of(row) if row else None


def buckets(reader: Reader) -> list[Bucket]:
    """Every bucket, by name."""
    return [_bucket_of(row) for row in reader.all(f"{_BUCKET} ORDER BY name")]


def current(reader: Reader, bucket: int, key: str) -> Stored | None:
    """The current version of a key, which may be a delete marker; None where there is none."""
    row = reader.one(f"SELECT {OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key = ?", bucket, key)
    return stored_of(row) if row else None


def look(reader: Reader, bucket_name: str, key: str) -> tuple[Bucket, Stored | None, Inline | None]:
    """A bucket, the current version of a key, and its bytes if the index holds them: one question instead of three.

    Raises: S3Error NoSuchBucket.
    """
    row = reader.one(_LOOK, key, bucket_name)
    if row is None:
        raise S3Error("NoSuchBucket", BucketName=bucket_name)
    stored = None if row[10] is None else stored_of(row[10:19])
    return _bucket_of(row[:10]), stored, None if row[20] is None else Inline(*row[19:])


def version_of(reader: Reader, bucket: int, key: str, version: str) -> Stored | None:
    """One version of a key, current or not."""
    for table in ("objects", "history"):
        sql = f"SELECT {OBJECT_COLUMNS} FROM {table} WHERE bucket = ? AND key = ? AND version = ?"
        row = reader.one(sql, bucket, key, version)
        if row:
            return stored_of(row)
    return None


def stored_of(row: Row) -> Stored:
    key, sequence, version, is_marker, size, etag, modified_ms, segments, meta = row
    return Stored(
        key, sequence, version, bool(is_marker), size, etag, modified_ms, segments_of(segments), Meta.of(meta)
    )


def segments_of(text: str) -> tuple[Segment, ...]:
    """The blobs that a `segments` column names."""
    if not text:
        return ()
    segments = []
    for entry in text.split(","):
        blob, _, size = entry.partition(":")
        is_inline, is_away = blob.startswith("i"), blob.startswith("a")
        segments.append(Segment(int(blob[is_inline or is_away :]), int(size), is_inline, is_away))
    return tuple(segments)


def segments_text(segments: tuple[Segment, ...]) -> str:
    """The `segments` column for these blobs."""
    return ",".join(f"{'i' if s.is_inline else 'a' if s.is_away else ''}{s.blob}:{s.size}" for s in segments)


def _bucket_of(row: Row) -> Bucket:
    number, name, created_ms, owner, generation, versioning, lifecycle, settings, objects, size_bytes = row
    # Most buckets have neither rules nor settings, and this is done for every request.
    rules = () if lifecycle == "[]" else tuple(Rule.of(fields) for fields in json.loads(lifecycle))
    kept = {} if settings == "{}" else json.loads(settings)
    return Bucket(number, name, created_ms, owner, generation, Versioning(versioning), rules, kept, objects, size_bytes)
