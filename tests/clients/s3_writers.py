"""Writers of all kinds, and the truth about what they were told: what must be in the store after it was cut off?

Each writer owns its slots (keys, versioned keys, uploads, a bucket), does one thing at a time, and notes when it began
and when it was acknowledged. So at any instant each slot has one state that must be there, or, while a write was under
way, either of two. `observed` reads the whole store in the same terms.
"""

import hashlib
import random
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import BotoCoreError, ClientError

PLAIN, VERSIONED = "lake", "kept"
PART_BYTES = 5 * 2**20
SIZES = (0, 10, 5_000, 16_384, 16_385, 40_000, 300_000, 2**20, 3_500_000)
KEYS = 8

Slot = tuple[str, str]
State = tuple[str, ...]
"""What a slot holds: nothing; the digest and the tag of an object; those of every version, newest first; an upload's
parts. `HERE` for a bucket or upload that is there."""
HERE = "here"
NOTHING: State = ()
States = Mapping[Slot, State]


@dataclass
class Deed:
    """One request: what it makes of which slots, and when (monotonic ns) it began and was acknowledged."""

    kind: str
    makes: dict[Slot, State]
    began_ns: int
    ended_ns: int = 0


@dataclass
class Writer:
    """Writes until the store is gone, or `stop` is set. `story` is what it did, in order."""

    name: str
    client: Any
    seed: int
    stop: threading.Event
    holds: dict[Slot, State] = field(default_factory=dict)
    story: list[Deed] = field(default_factory=list)
    refused: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._thread = threading.Thread(target=self._run, name=self.name)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self.name} hangs"
        assert not self.refused, f"{self.name}: {self.refused}"

    def _run(self) -> None:
        deeds: Sequence[Callable[[], None]] = (
            self._put, self._put, self._put, self._put_encrypted, self._copy, self._tag, self._delete,
            self._delete_many, self._put_version, self._mark, self._delete_version, self._upload, self._upload,
            self._abandon, self._bucket,
        )  # fmt: skip
        try:
            while not self.stop.is_set():
                self._random.choice(deeds)()
        except (BotoCoreError, ClientError) as e:
            # A store that goes away is what this is about; one that refuses is not.
            status = e.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(e, ClientError) else 503
            self.refused = "" if status == 503 else str(e)

    def _do(self, kind: str, makes: dict[Slot, State], act: Callable[[], Any]) -> Any:
        deed = Deed(kind, makes, time.monotonic_ns())
        self.story.append(deed)
        answer = act()
        self.holds.update(makes)
        deed.ended_ns = time.monotonic_ns()
        return answer

    # --- the kinds of writes

    def _key(self) -> str:
        return f"{self.name}/{self._random.randrange(KEYS)}"

    def _body(self) -> tuple[bytes, str]:
        body = self._random.randbytes(self._random.choice(SIZES))
        return body, digest_of(body)

    def _there(self) -> list[str]:
        return sorted(key for (kind, key), state in self.holds.items() if kind == PLAIN and state)

    def _put(self, **headers: str) -> None:
        key, (body, digest) = self._key(), self._body()
        self._do(
            "put",
            {(PLAIN, key): (digest, "")},
            lambda: self.client.put_object(Bucket=PLAIN, Key=key, Body=body, **headers),
        )

    def _put_encrypted(self) -> None:
        self._put(ServerSideEncryption="AES256")

    def _copy(self) -> None:
        if there := self._there():
            source, key = self._random.choice(there), self._key()
            self._do(
                "copy",
                {(PLAIN, key): self.holds[PLAIN, source]},
                lambda: self.client.copy_object(
                    Bucket=PLAIN, Key=key, CopySource={"Bucket": PLAIN, "Key": source}, MetadataDirective="REPLACE"
                ),
            )

    def _tag(self) -> None:
        if there := self._there():
            key, tag = self._random.choice(there), str(self._random.randrange(1000))
            tags = {"TagSet": [{"Key": "tag", "Value": tag}]}
            self._do(
                "tag",
                {(PLAIN, key): (self.holds[PLAIN, key][0], tag)},
                lambda: self.client.put_object_tagging(Bucket=PLAIN, Key=key, Tagging=tags),
            )

    def _delete(self) -> None:
        if there := self._there():
            key = self._random.choice(there)
            self._do("delete", {(PLAIN, key): NOTHING}, lambda: self.client.delete_object(Bucket=PLAIN, Key=key))

    def _delete_many(self) -> None:
        keys = self._there()[:3]
        if keys:
            named = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
            answer = self._do(
                "delete many",
                {(PLAIN, key): NOTHING for key in keys},
                lambda: self.client.delete_objects(Bucket=PLAIN, Delete=named),
            )
            assert "Errors" not in answer, answer["Errors"]

    def _put_version(self) -> None:
        slot, (body, digest) = (VERSIONED, self._key()), self._body()
        self._do(
            "put version",
            {slot: (digest, *self.holds.get(slot, NOTHING))},
            lambda: self.client.put_object(Bucket=VERSIONED, Key=slot[1], Body=body),
        )

    def _mark(self) -> None:
        slot = VERSIONED, self._key()
        self._do(
            "delete marker",
            {slot: ("marker", *self.holds.get(slot, NOTHING))},
            lambda: self.client.delete_object(Bucket=VERSIONED, Key=slot[1]),
        )

    def _delete_version(self) -> None:
        slots = sorted(slot for slot, state in self.holds.items() if slot[0] == VERSIONED and state)
        if slots:
            slot = self._random.choice(slots)
            there = self.client.list_object_versions(Bucket=VERSIONED, Prefix=slot[1], MaxKeys=1)
            newest = [*there.get("Versions", []), *there.get("DeleteMarkers", [])][0]
            self._do(
                "delete version",
                {slot: self.holds[slot][1:]},
                lambda: self.client.delete_object(Bucket=VERSIONED, Key=slot[1], VersionId=newest["VersionId"]),
            )

    def _upload(self) -> None:
        key, bodies = self._key(), [self._body()[0]]
        if self._random.random() < 0.2:
            bodies.insert(0, self._random.randbytes(PART_BYTES))
        to, parts = self._begun(key), []
        slot = "upload", to["UploadId"]
        for number, body in enumerate(bodies, 1):
            parts.append({"PartNumber": number, "ETag": self._part(slot, to, number, body)})
        self._do(
            "complete",
            {slot: NOTHING, (PLAIN, key): (digest_of(b"".join(bodies)), "")},
            lambda: self.client.complete_multipart_upload(**to, MultipartUpload={"Parts": parts}),
        )

    def _abandon(self) -> None:
        to = self._begun(self._key())
        slot = "upload", to["UploadId"]
        self._part(slot, to, 1, self._body()[0])
        if self._random.random() < 0.8:
            self._do("abort", {slot: NOTHING}, lambda: self.client.abort_multipart_upload(**to))

    def _begun(self, key: str) -> dict[str, str]:
        # An upload has no name before it is acknowledged, so nothing can be expected of it earlier.
        upload = self.client.create_multipart_upload(Bucket=PLAIN, Key=key)["UploadId"]
        now_ns = time.monotonic_ns()
        self.story.append(Deed("begin", {("upload", upload): (HERE,)}, now_ns, now_ns))
        self.holds["upload", upload] = (HERE,)
        return {"Bucket": PLAIN, "Key": key, "UploadId": upload}

    def _part(self, slot: Slot, to: Mapping[str, str], number: int, body: bytes) -> str:
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        self._do(
            "part",
            {slot: (*self.holds[slot], etag)},
            lambda: self.client.upload_part(**to, PartNumber=number, Body=body),
        )
        return etag

    def _bucket(self) -> None:
        slot = "bucket", f"of-{self.name}"
        act = self.client.delete_bucket if self.holds.get(slot) else self.client.create_bucket
        self._do("bucket", {slot: NOTHING if self.holds.get(slot) else (HERE,)}, lambda: act(Bucket=slot[1]))


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def prepare(client: Any) -> None:
    """The two buckets that all writers share."""
    for bucket in (PLAIN, VERSIONED):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=VERSIONED, VersioningConfiguration={"Status": "Enabled"})


def allowed_at(writers: Sequence[Writer], at_ns: int, before: States) -> dict[Slot, set[State]]:
    """Which states each slot may be in after a cut at this time, given how the writers found them."""
    allowed = {slot: {state} for slot, state in before.items()}
    for writer in writers:
        for deed in writer.story:
            if deed.began_ns > at_ns:
                break
            is_acknowledged = 0 < deed.ended_ns <= at_ns
            for slot, state in deed.makes.items():
                allowed[slot] = {state} | (set() if is_acknowledged else allowed.get(slot, {NOTHING}))
    return allowed


def disagreements(found: States, allowed: Mapping[Slot, set[State]]) -> list[str]:
    """What is there and must not be, or is not there and must: one sentence each. None is the aim."""
    wrong = []
    for slot in sorted({*found, *allowed}):
        # An upload that was begun and never acknowledged has a name that nobody was told.
        permitted = allowed.get(slot, {NOTHING, (HERE,)} if slot[0] == "upload" else {NOTHING})
        if found.get(slot, NOTHING) not in permitted:
            wrong.append(f"{' '.join(slot)} holds {found.get(slot, NOTHING)}, not one of {sorted(permitted)}")
    return wrong


def observed(client: Any) -> dict[Slot, State]:
    """Everything in the store, read whole."""
    found: dict[Slot, State] = {}
    for entry in _pages(client, "list_objects_v2", PLAIN, "Contents"):
        answer = client.get_object(Bucket=PLAIN, Key=entry["Key"])
        body = answer["Body"].read()
        assert len(body) == entry["Size"], entry
        tag = ""
        if answer.get("TagCount"):
            tag = client.get_object_tagging(Bucket=PLAIN, Key=entry["Key"])["TagSet"][0]["Value"]
        found[PLAIN, entry["Key"]] = (digest_of(body), tag)
    for key, version, is_marker in _versions(client):
        named = {"Bucket": VERSIONED, "Key": key, "VersionId": version}
        digest = "marker" if is_marker else digest_of(client.get_object(**named)["Body"].read())
        found[VERSIONED, key] = (*found.get((VERSIONED, key), NOTHING), digest)
    for upload in _pages(client, "list_multipart_uploads", PLAIN, "Uploads"):
        named = {"Bucket": PLAIN, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        parts = client.list_parts(**named).get("Parts", [])
        found["upload", upload["UploadId"]] = (HERE, *(part["ETag"] for part in parts))
    names = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} - {PLAIN, VERSIONED}
    return found | {("bucket", name): (HERE,) for name in names}


def _versions(client: Any) -> Iterator[tuple[str, str, bool]]:
    """(key, version, whether a delete marker) as listed. boto3 takes the two apart, and loses their order."""
    marker = {"KeyMarker": "", "VersionIdMarker": ""}
    while True:
        url = client.generate_presigned_url("list_object_versions", {"Bucket": VERSIONED, **marker})
        with urllib.request.urlopen(url, timeout=30) as response:
            page = ElementTree.fromstring(response.read())
        for entry in page:
            if entry.tag.endswith(("}Version", "}DeleteMarker")):
                words = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
                yield words["Key"], words["VersionId"], entry.tag.endswith("}DeleteMarker")
        words = {child.tag.rpartition("}")[2]: child.text or "" for child in page}
        if words["IsTruncated"] != "true":
            return
        marker = {"KeyMarker": words["NextKeyMarker"], "VersionIdMarker": words["NextVersionIdMarker"]}


def _pages(client: Any, operation: str, bucket: str, name: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(Bucket=bucket):
        yield from page.get(name, [])
