"""Random operations against the store and against a model in memory agree, across restarts and kills."""

import hashlib
import itertools
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from s3_chances import KEYS, bodies, conditions, delimiters, keys, metadata, prefixes, some_keys, tags
from s3_model import PART_BYTES_MIN, Model, Refusal, Upload, Version, version_of
from s3_plane import S3Plane, running_s3

NUMBERS = itertools.count(1)


class Store(RuleBasedStateMachine):
    """Each example has a bucket of its own in the one plane."""

    plane: ClassVar[S3Plane]

    @initialize()
    def begin(self) -> None:
        self.model, self.steps = Model(), 0
        self.bucket = f"model-{next(NUMBERS)}"
        self.s3 = self.plane.client(read_timeout=20)
        self.s3.create_bucket(Bucket=self.bucket)

    # --- how the two are held against each other

    def told(self, act: Callable[[], Any]) -> tuple[str, Any]:
        """("", the answer) or (S3's code, None). A HEAD has no document to say more than a status."""
        try:
            return "", act()
        except ClientError as e:
            return e.response["Error"]["Code"], None

    def agree(self, act: Callable[[], Any], expected: Callable[[], Any]) -> Any:
        """Both refuse with the same code, or neither does; gives the answer, None for a refusal."""
        try:
            expected()
            code = ""
        except Refusal as e:
            code = e.code
        told, answer = self.told(act)
        assert told in code.split(" ")
        return answer

    def condition(self, key: str, name: str) -> dict[str, str]:
        there = self.model.current(key)
        etag = there.etag if there else '"0"'
        return {
            "": {},
            "match": {"IfMatch": etag},
            "match other": {"IfMatch": '"0123"'},
            "none": {"IfNoneMatch": etag},
            "none other": {"IfNoneMatch": '"0123"'},
        }[name]

    def version_in(self, answer: Any) -> str:
        """The id of a version that was written."""
        version = str(answer.get("VersionId", "null"))
        assert (version == "null") == (self.model.versioning != "Enabled")
        return version

    def some_version(self, data: st.DataObject, key: str) -> str | None:
        known = [None, "null", *(version.id for version in self.model.keys.get(key, []))]
        return data.draw(st.sampled_from(known))

    def at(self, key: str, version: str | None = None) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key, **({"VersionId": version} if version else {})}

    # --- writes

    @rule(status=st.sampled_from(["Enabled", "Enabled", "Suspended"]))
    def keep_versions(self, status: str) -> None:
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})
        self.model.versioning = status

    @rule(
        key=keys,
        body=bodies,
        metadata=metadata,
        tags=tags,
        condition=st.sampled_from(["", "", "match", "match other", "new"]),
    )
    def put(self, key: str, body: bytes, metadata: dict[str, str], tags: dict[str, str], condition: str) -> None:
        asked = {"IfNoneMatch": "*"} if condition == "new" else self.condition(key, condition)
        text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in tags.items())
        more = {"Tagging": text} if tags else {}
        answer = self.agree(
            lambda: self.s3.put_object(**self.at(key), Body=body, Metadata=metadata, **asked, **more),
            lambda: self.model.check_write(key, asked.get("IfMatch"), asked.get("IfNoneMatch")),
        )
        if answer:
            new = version_of(self.version_in(answer), body, metadata, tags)
            assert answer["ETag"] == new.etag
            self.model.add(key, new)

    @rule(key=some_keys, body=bodies)
    def put_again(self, key: str, body: bytes) -> None:
        self.put(key, body, {}, {}, "")

    @rule(source=some_keys, key=keys, is_replacing=st.booleans(), metadata=metadata, data=st.data())
    def copy(self, source: str, key: str, is_replacing: bool, metadata: dict[str, str], data: st.DataObject) -> None:
        version = self.some_version(data, source)
        asked = {"MetadataDirective": "REPLACE", "Metadata": metadata} if is_replacing else {}

        def expected() -> None:
            try:
                self.model.found(source, version)
            except Refusal as e:
                # A delete marker is no source.
                raise Refusal("InvalidRequest" if e.code == "MethodNotAllowed" else e.code) from e
            if source == key and not asked and version is None:
                raise Refusal("InvalidRequest")

        answer = self.agree(
            lambda: self.s3.copy_object(**self.at(key), CopySource=self.at(source, version), **asked), expected
        )
        if answer:
            there = self.model.found(source, version)
            kept = metadata if is_replacing else dict(there.metadata)
            new = version_of(self.version_in(answer), there.body, kept, dict(there.tags))
            # The etag of a copy of something that came in parts is the store's to choose.
            etag = answer["CopyObjectResult"]["ETag"]
            assert etag in (new.etag, there.etag)
            new = replace(new, etag=etag)
            self.model.add(key, new)

    @rule(key=keys, data=st.data())
    def delete(self, key: str, data: st.DataObject) -> None:
        version = self.some_version(data, key)
        answer = self.s3.delete_object(**self.at(key, version))
        self.deleted(key, version, answer.get("DeleteMarker", False), answer.get("VersionId"))

    def deleted(self, key: str, version: str | None, is_marker: bool, told: str | None) -> None:
        if version is not None:
            gone = self.model.delete_version(key, version)
            assert is_marker == bool(gone and gone.is_marker)
            return
        assert is_marker == bool(self.model.versioning)
        assert (told == "null") == (self.model.versioning == "Suspended")
        self.model.delete(key, told or "null")

    @rule(names=st.lists(some_keys, min_size=1, max_size=3, unique=True))
    def delete_many(self, names: list[str]) -> None:
        named = {"Objects": [{"Key": key} for key in names]}
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete=named)
        assert "Errors" not in answer
        assert [entry["Key"] for entry in answer["Deleted"]] == names
        for entry in answer["Deleted"]:
            self.deleted(entry["Key"], None, entry.get("DeleteMarker", False), entry.get("DeleteMarkerVersionId"))

    @rule(key=some_keys, tags=tags, data=st.data())
    def tag(self, key: str, tags: dict[str, str], data: st.DataObject) -> None:
        version = self.some_version(data, key)
        named = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
        self.agree(
            lambda: self.s3.put_object_tagging(**self.at(key, version), Tagging=named) if tags
            else self.s3.delete_object_tagging(**self.at(key, version)),
            lambda: self.model.tag(key, version, tuple(sorted(tags.items()))),
        )  # fmt: skip

    # --- multipart uploads

    @rule(key=some_keys, metadata=metadata)
    def begin_upload(self, key: str, metadata: dict[str, str]) -> None:
        upload = self.s3.create_multipart_upload(**self.at(key), Metadata=metadata)["UploadId"]
        self.model.uploads[upload] = Upload(key, tuple(sorted(metadata.items())))

    def some_upload(self, data: st.DataObject) -> tuple[str, dict[str, str]]:
        upload = data.draw(st.sampled_from(sorted(self.model.uploads, key=list(self.model.uploads).index)))
        return upload, {**self.at(self.model.uploads[upload].key), "UploadId": upload}

    @precondition(lambda self: self.model.uploads)
    @rule(number=st.integers(1, 3), body=bodies, is_large=st.sampled_from([False, False, True]), data=st.data())
    def put_part(self, number: int, body: bytes, is_large: bool, data: st.DataObject) -> None:
        upload, to = self.some_upload(data)
        body = body.ljust(PART_BYTES_MIN, b".") if is_large else body
        answer = self.s3.upload_part(**to, PartNumber=number, Body=body)
        assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        self.model.uploads[upload].parts[number] = body

    @precondition(lambda self: self.model.uploads)
    @rule(
        numbers=st.lists(st.integers(1, 3), min_size=1, unique=True).map(sorted), is_new=st.booleans(), data=st.data()
    )
    def complete(self, numbers: list[int], is_new: bool, data: st.DataObject) -> None:
        upload, to = self.some_upload(data)
        there = self.model.uploads[upload]
        numbers = data.draw(st.sampled_from([numbers, sorted(there.parts) or numbers]))
        etags = {n: f'"{hashlib.md5(there.parts.get(n, b"")).hexdigest()}"' for n in numbers}
        parts = {"Parts": [{"PartNumber": n, "ETag": etags[n]} for n in numbers]}
        asked = {"IfNoneMatch": "*"} if is_new else {}

        def expected() -> None:
            refused = ""
            for check in (
                lambda: self.model.complete(upload, numbers),
                lambda: self.model.check_write(there.key, None, asked.get("IfNoneMatch")),
            ):
                try:
                    check()
                except Refusal as e:
                    refused += f" {e.code}"
            if refused:  # where both do not hold, S3 does not say which it looks at first
                raise Refusal(refused.strip())

        answer = self.agree(lambda: self.s3.complete_multipart_upload(**to, MultipartUpload=parts, **asked), expected)
        if answer:
            key, body, etag = self.model.complete(upload, numbers)
            assert answer["ETag"] == etag
            self.model.add(key, Version(self.version_in(answer), body, etag, there.metadata))
            del self.model.uploads[upload]

    @precondition(lambda self: self.model.uploads)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        upload, to = self.some_upload(data)
        self.s3.abort_multipart_upload(**to)
        del self.model.uploads[upload]

    @rule(prefix=prefixes, limit=st.sampled_from([1, 2, 1000]))
    def list_uploads(self, prefix: str, limit: int) -> None:
        asked = {"Bucket": self.bucket, "Prefix": prefix, "PaginationConfig": {"PageSize": limit}}
        pages = list(self.s3.get_paginator("list_multipart_uploads").paginate(**asked))
        listed = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page.get("Uploads", [])]
        expected = self.model.uploads_listed(prefix)
        assert [key for key, _ in listed] == [key for key, _ in expected]
        assert sorted(listed) == sorted(expected)
        for key, upload in listed:
            parts = self.s3.list_parts(**self.at(key), UploadId=upload).get("Parts", [])
            there = [(part["PartNumber"], part["Size"], part["ETag"]) for part in parts]
            mine = sorted(self.model.uploads[upload].parts.items())
            assert there == [(n, len(body), f'"{hashlib.md5(body).hexdigest()}"') for n, body in mine]

    # --- reads

    @rule(key=some_keys, condition=conditions, is_head=st.booleans(), data=st.data())
    def read(self, key: str, condition: str, is_head: bool, data: st.DataObject) -> None:
        version = self.some_version(data, key)
        asked = self.condition(key, condition)
        act = self.s3.head_object if is_head else self.s3.get_object

        def expected() -> None:
            try:
                self.model.read(key, version, asked.get("IfMatch"), asked.get("IfNoneMatch"))
            except Refusal as e:
                status = {
                    "NoSuchKey": "404",
                    "NoSuchVersion": "404",
                    "MethodNotAllowed": "405",
                    "PreconditionFailed": "412",
                }
                raise Refusal(status.get(e.code, e.code) if is_head else e.code) from e

        answer = self.agree(lambda: act(**self.at(key, version), **asked), expected)
        if answer:
            self.same(answer, self.model.found(key, version), is_head)

    def same(self, answer: Any, version: Version, is_head: bool = False) -> None:
        assert answer["ContentLength"] == len(version.body)
        assert answer["ETag"] == version.etag
        assert answer["Metadata"] == dict(version.metadata)
        assert answer.get("TagCount", 0) == len(version.tags)
        assert answer.get("VersionId", "null") == version.id
        assert is_head or answer["Body"].read() == version.body

    @rule(key=some_keys, start=st.integers(0, 20_000), count=st.integers(1, 70_000), form=st.sampled_from("+->"))
    def read_range(self, key: str, start: int, count: int, form: str) -> None:
        text = {"+": f"{start}-{start + count - 1}", "-": f"-{count}", ">": f"{start}-"}[form]
        there = self.model.current(key)

        def expected() -> None:
            body = self.model.found(key).body
            if not body or (start >= len(body) and form != "-"):
                raise Refusal("InvalidRange")

        answer = self.agree(lambda: self.s3.get_object(**self.at(key), Range=f"bytes={text}"), expected)
        if answer:
            assert there
            size = len(there.body)
            begin, end = (
                (max(0, size - count), size) if form == "-" else (start, size if form == ">" else start + count)
            )
            assert answer["Body"].read() == there.body[begin:end]
            assert answer["ContentRange"] == f"bytes {begin}-{min(end, size) - 1}/{size}"

    @rule(prefix=prefixes, delimiter=delimiters, after=st.sampled_from(["", *KEYS[:16]]),
          limit=st.sampled_from([1, 2, 1000]), is_first=st.booleans())  # fmt: skip
    def list_objects(self, prefix: str, delimiter: str, after: str, limit: int, is_first: bool) -> None:
        asked = {
            "Bucket": self.bucket,
            "Prefix": prefix,
            "Delimiter": delimiter,
            "PaginationConfig": {"PageSize": limit},
        }
        asked |= {"Marker" if is_first else "StartAfter": after} if after else {}
        pages = list(self.s3.get_paginator("list_objects" if is_first else "list_objects_v2").paginate(**asked))
        expected = self.model.objects(prefix, delimiter, after)
        listed = [sorted(_items(page), key=lambda item: item[1].encode()) for page in pages]
        assert [item for page in listed for item in page] == expected
        assert all(len(page) == limit for page in listed[:-1])
        assert is_first or [page["KeyCount"] for page in pages] == [len(page) for page in listed]
        for entry in (entry for page in pages for entry in page.get("Contents", [])):
            there = self.model.found(entry["Key"])
            assert (entry["Size"], entry["ETag"]) == (len(there.body), there.etag)

    @rule(prefix=prefixes, delimiter=delimiters, limit=st.sampled_from([1, 2, 1000]))
    def list_versions(self, prefix: str, delimiter: str, limit: int) -> None:
        asked = {
            "Bucket": self.bucket,
            "Prefix": prefix,
            "Delimiter": delimiter,
            "PaginationConfig": {"PageSize": limit},
        }
        found: list[tuple[str, str, str]] = []
        for page in self.s3.get_paginator("list_object_versions").paginate(**asked):
            found += [("version", entry["Key"], entry["VersionId"]) for entry in page.get("Versions", [])]
            found += [("marker", entry["Key"], entry["VersionId"]) for entry in page.get("DeleteMarkers", [])]
            found += [("prefix", entry["Prefix"], "") for entry in page.get("CommonPrefixes", [])]
            latest = [
                entry for name in ("Versions", "DeleteMarkers") for entry in page.get(name, []) if entry["IsLatest"]
            ]
            assert all(self.model.keys[entry["Key"]][0].id == entry["VersionId"] for entry in latest)
        # boto3 takes versions, markers and prefixes apart; the order within each of them is left.
        expected = self.model.versions(prefix, delimiter)
        for kind in ("version", "marker", "prefix"):
            assert [entry for entry in found if entry[0] == kind] == [entry for entry in expected if entry[0] == kind]

    # --- restarts

    @rule(how=st.sampled_from([signal.SIGTERM, signal.SIGKILL]), is_due=st.sampled_from([False, False, True]))
    def restart(self, how: signal.Signals, is_due: bool) -> None:
        if is_due:
            self.plane.stop(how)
            self.plane.start()
            self.check()

    @invariant()
    def check_now_and_then(self) -> None:
        self.steps += 1
        if self.steps % 10 == 0:
            self.check()

    def check(self) -> None:
        """Everything there is, whole."""
        self.list_versions("", "", 1000)
        for key, versions in self.model.keys.items():
            for version in versions:
                if not version.is_marker:
                    self.same(self.s3.get_object(**self.at(key, version.id)), version)
                    there = self.s3.get_object_tagging(**self.at(key, version.id))["TagSet"]
                    assert sorted((tag["Key"], tag["Value"]) for tag in there) == list(version.tags)
        self.list_uploads("", 1000)


def _quoted(text: str) -> str:

    return quote(text, safe="")


def _items(page: Any) -> Iterator[tuple[str, str]]:
    yield from (("key", entry["Key"]) for entry in page.get("Contents", []))
    yield from (("prefix", entry["Prefix"]) for entry in page.get("CommonPrefixes", []))


def test_the_store_does_what_the_model_does(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Versions, conditions, copies, parts, tags, ranges and every listing, with keys as hostile as S3 allows."""
    examples = int(request.config.getoption("--examples"))
    with running_s3(tmp_path) as plane:
        machine = type("Tried", (Store,), {"plane": plane})
        thorough = settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=[Phase.generate],
        )
        run_state_machine_as_test(machine, settings=thorough)
        assert "s3.bug" not in (tmp_path / "s3.log").read_text()
