"""How does another Weyr get an object? Over S3, so that it is there as it is here: key, etag, moment, tags, checksum.

An object in parts is sent in the same parts, so that its etag and the checksums of its parts come out the same. What an
earlier try began is gone on with: parts that the other side has, of the same size and MD5, are not sent again.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.client import HTTPResponse
from urllib.parse import quote_plus

from weyr.gateway.s3.encryption import KMS_KEY, SSE, Mode
from weyr.gateway.s3.locks import lock_headers
from weyr.gateway.s3.replication.asking import Body, Door, texts
from weyr.gateway.s3.replication.received import HEADER, header_for
from weyr.gateway.s3.replication.target import Item, Progress, SourceDamaged, TargetAway, Wanted
from weyr.gateway.s3.replication.verifying import DAMAGED, EtagSum, etag_of_parts, verified
from weyr.gateway.s3.xml import Content, document

PAGE = 1000
FETCH_BYTES = 2 * 2**20
_CONTENT = ("content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires")


class DoorTarget:
    """A Weyr behind `door`. `bucket` is "" where each bucket goes to the one of its own name.

    `origin` is what this plane is called there.
    """

    def __init__(self, name: str, origin: str, door: Door, bucket: str = "") -> None:
        self.name = name
        self._origin = origin
        self._door = door
        self._bucket = bucket

    def bucket_for(self, bucket: str) -> str:
        return self._bucket or bucket

    def put(self, item: Item, progress: Progress) -> None:
        if progress.upload and progress.upload_of != item.etag:
            self.abandon(item.bucket, item.key, progress.upload)
            progress = Progress("", "", progress.remember)
        if item.parts:
            self._put_parts(item, progress)
            return
        headers = self._headers(item)
        headers["content-length"] = str(item.size)
        headers["content-md5"] = b64encode(bytes.fromhex(item.etag)).decode()
        checksum = item.meta.checksum
        if checksum and checksum[2] == "FULL_OBJECT":
            headers[f"x-amz-checksum-{checksum[0].lower()}"] = checksum[1]
        self._door.ask(
            "PUT",
            self.bucket_for(item.bucket),
            item.key,
            headers=headers,
            body=partial(verified, item),
            taken=(200, 412),
        )

    def put_tags(self, item: Item) -> bool:
        found, _ = self._ask("HEAD", item, taken=(200, 404))
        if found.status != 200 or (found.headers.get("ETag") or "").strip('"') != item.etag:
            return False
        tags: Content = [("Tag", [("Key", key), ("Value", value)]) for key, value in item.meta.tags.items()]
        body = document("Tagging", [("TagSet", tags)])
        version = found.headers.get("x-amz-version-id")
        query = [("tagging", ""), *([("versionId", version)] if version else [])]
        answer, _ = self._ask("PUT", item, query, {}, body, taken=(200, 404))
        return answer.status == 200

    def has(self, item: Item) -> bool:
        found, _ = self._ask("HEAD", item, taken=(200, 404, 405))
        if found.status != 200 or (found.headers.get("ETag") or "").strip('"') != item.etag:
            return False
        there = {name.lower(): value for name, value in found.headers.items()}
        kept = {name: value for name, value in there.items() if name in _CONTENT or name.startswith("x-amz-meta-")}
        if kept != item.meta.headers or int(there.get("x-amz-tagging-count", "0")) != len(item.meta.tags):
            return False
        if not item.meta.tags:
            return True
        answer, text = self._ask("GET", item, [("tagging", "")], taken=(200, 404))
        tags = dict(zip(texts(text, "Key"), texts(text, "Value"), strict=True)) if answer.status == 200 else {}
        return tags == item.meta.tags

    def delete(self, bucket: str, key: str, at_ms: int) -> None:
        headers = {HEADER: header_for(self._origin, at_ms)}
        self._door.ask("DELETE", self.bucket_for(bucket), key, headers=headers, taken=(204, 404, 412))

    def abandon(self, bucket: str, key: str, upload: str) -> None:
        self._door.ask("DELETE", self.bucket_for(bucket), key, [("uploadId", upload)], taken=(204, 404))

    def fetch(self, wanted: Wanted) -> Iterator[bytes] | None:
        bucket, key, quoted = self.bucket_for(wanted.bucket), wanted.key, f'"{wanted.etag}"'
        answer, _ = self._door.ask("HEAD", bucket, key, headers={"if-match": quoted}, taken=(200, 404, 405, 412))
        if answer.status != 200 or answer.headers.get("Content-Length") != str(wanted.size):
            return None
        return self._pieces(bucket, wanted, quoted)

    def _pieces(self, bucket: str, wanted: Wanted, etag: str) -> Iterator[bytes]:
        end = wanted.start + wanted.count
        for start in range(wanted.start, end, FETCH_BYTES):
            last = min(start + FETCH_BYTES, end) - 1
            headers = {"if-match": etag, "range": f"bytes={start}-{last}"}
            yield self._door.ask("GET", bucket, wanted.key, headers=headers, taken=(206,))[1]

    def close(self) -> None:
        self._door.close()

    # --- in parts

    def _put_parts(self, item: Item, progress: Progress) -> None:
        upload, there = progress.upload, dict[int, tuple[int, str]]()
        if upload:
            upload, there = self._there(item, upload)
        if not upload:
            upload = self._begin(item)
            progress.remember(upload, item.etag)
        etags, start = list[str](), 0
        for number, size in enumerate(item.parts, 1):
            etags.append(self._put_part(item, upload, number, (start, size), there.get(number)))
            start += size
        if etag_of_parts(etags) != item.etag:
            self.abandon(item.bucket, item.key, upload)
            raise SourceDamaged(DAMAGED)
        self._complete(item, upload, etags)

    def _begin(self, item: Item) -> str:
        headers = self._headers(item)
        if item.meta.checksum:
            headers["x-amz-checksum-algorithm"], _, headers["x-amz-checksum-type"] = item.meta.checksum
        _, text = self._ask("POST", item, [("uploads", "")], headers, b"")
        return texts(text, "UploadId")[0]

    def _there(self, item: Item, upload: str) -> tuple[str, dict[int, tuple[int, str]]]:
        """The upload and its parts as the other side has them; "" where it does not know the upload any more."""
        found: dict[int, tuple[int, str]] = {}
        while True:
            query = [("uploadId", upload), ("part-number-marker", str(max(found, default=0)))]
            answer, text = self._ask("GET", item, query, taken=(200, 404))
            if answer.status == 404:
                return "", {}
            numbers, sizes, etags = (texts(text, name) for name in ("PartNumber", "Size", "ETag"))
            for number, size, etag in zip(numbers, sizes, etags, strict=True):
                found[int(number)] = int(size), etag.strip('"')
            if len(numbers) < PAGE:
                return upload, found

    def _put_part(
        self, item: Item, upload: str, number: int, piece: tuple[int, int], there: tuple[int, str] | None
    ) -> str:
        """Gives the part's etag, which is that of the bytes on this side."""
        own = EtagSum(())
        if there is not None and there[0] == piece[1]:
            for data in item.read(*piece):
                own.update(data)
            if own.etag() == there[1]:
                return there[1]

        def body() -> Iterator[bytes]:
            nonlocal own
            own = EtagSum(())
            for data in item.read(*piece):
                own.update(data)
                yield data

        query = [("partNumber", str(number)), ("uploadId", upload)]
        headers = {"content-length": str(piece[1])}
        answer, _ = self._ask("PUT", item, query, headers, body)
        if (answer.headers.get("ETag") or "").strip('"') != own.etag():
            raise TargetAway(f"{self._door.host}: a part arrived otherwise than it was sent")
        return own.etag()

    def _complete(self, item: Item, upload: str, etags: Sequence[str]) -> None:
        parts: list[tuple[str, Content]] = [
            ("Part", [("PartNumber", number), ("ETag", f'"{etag}"')]) for number, etag in enumerate(etags, 1)
        ]
        headers = {HEADER: header_for(self._origin, item.modified_ms)}
        body = document("CompleteMultipartUpload", parts)
        answer, _ = self._ask("POST", item, [("uploadId", upload)], headers, body, taken=(200, 412))
        if answer.status == 412:  # something newer is there
            self.abandon(item.bucket, item.key, upload)

    # --- one request

    def _headers(self, item: Item) -> dict[str, str]:
        """What is kept with the object, as the other side takes it."""
        meta = item.meta
        headers = {**meta.headers, HEADER: header_for(self._origin, item.modified_ms)}
        headers |= {name.lower(): value for name, value in lock_headers(meta)}
        if meta.tags:
            headers["x-amz-tagging"] = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in meta.tags.items())
        if meta.encryption is not None:
            headers[SSE] = meta.encryption.mode
            if meta.encryption.mode == Mode.NAMED:
                headers[KMS_KEY] = meta.encryption.by
        return headers

    def _ask(
        self,
        method: str,
        item: Item,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        taken: tuple[int, ...] = (200,),
    ) -> tuple[HTTPResponse, bytes]:
        """As `Door.ask`, about one object."""
        return self._door.ask(method, self.bucket_for(item.bucket), item.key, query, headers, body, taken)
