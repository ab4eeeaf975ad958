"""Which of a request's headers are kept with an object, which are refused, and how do they come back?"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from weyr.gateway.s3.checksums import Algorithm
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.locks import HEADERS, lock_headers
from weyr.gateway.s3.records import Meta, Stored
from weyr.gateway.s3.xml import Node

USER_BYTES_MAX = 2048
TAGS_MAX = 10
USER = "x-amz-meta-"
_CONTENT = ("content-type", "content-disposition", "content-encoding", "content-language", "cache-control", "expires")
_NAMES = {
    "content-type": "Content-Type",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "cache-control": "Cache-Control",
    "expires": "Expires",
}
_KNOWN = {
    "x-amz-acl", "x-amz-api-version", "x-amz-bucket-object-lock-enabled", "x-amz-bypass-governance-retention",
    "x-amz-checksum-algorithm", "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c", "x-amz-confirm-remove-self-bucket-access", "x-amz-grant-full-control",
    "x-amz-grant-read", "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp",
    "x-amz-checksum-crc64nvme", "x-amz-checksum-mode", "x-amz-checksum-sha1", "x-amz-checksum-sha256",
    "x-amz-checksum-type", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since", "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since", "x-amz-copy-source-range", "x-amz-date", "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner", "x-amz-if-match-last-modified-time", "x-amz-if-match-size",
    "x-amz-metadata-directive", "x-amz-mp-object-size", "x-amz-object-attributes",
    "x-amz-max-parts", "x-amz-part-number-marker", "x-amz-object-ownership", "x-amz-optional-object-attributes",
    *HEADERS,
    "x-amz-request-payer", "x-amz-sdk-checksum-algorithm", "x-amz-source-expected-bucket-owner",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5", "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key", "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-storage-class", "x-amz-tagging", "x-amz-tagging-directive", "x-amz-trailer", "x-amz-user-agent",
    "x-amz-weyr-replica",
}  # fmt: skip
_TRUTH = ("true", "false")
_ONE_OF = {
    # The SDK for C++, and with it pyarrow, says with every request which S3 it speaks. There is one.
    "x-amz-api-version": ("2006-03-01",),
    "x-amz-bucket-object-lock-enabled": _TRUTH,
    "x-amz-bypass-governance-retention": _TRUTH,
    "x-amz-checksum-mode": ("enabled",),
    "x-amz-confirm-remove-self-bucket-access": _TRUTH,
    "x-amz-optional-object-attributes": ("restorestatus",),
    "x-amz-request-payer": ("requester",),
    # What an SDK says it computed; the checksum itself is in a header or a trailer of its own, and is compared.
    "x-amz-sdk-checksum-algorithm": tuple(algorithm.lower() for algorithm in Algorithm),
}
"""Headers that have one of a few values, in lower case."""
_OVERRIDES = {f"response-{name}": _NAMES[name] for name in _CONTENT}


def check_known(headers: Mapping[str, str]) -> None:
    """Refuses every x-amz header that would be ignored otherwise.

    Raises: S3Error NotImplemented for one that is not known, InvalidArgument for a value that is none of its own.
    """
    for name, value in headers.items():
        if name.startswith("x-amz-") and name not in _KNOWN and not name.startswith(USER):
            raise not_implemented(f"the header {name}")
        if name in _ONE_OF and value.strip().lower() not in _ONE_OF[name]:
            message = f"The value of {name} is not one of those that are known."
            raise S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def meta_of(headers: Mapping[str, str]) -> Meta:
    """What is kept from a request that makes an object. Raises: S3Error MetadataTooLarge, InvalidTag."""
    kept = {name: headers[name] for name in _CONTENT if name in headers}
    if "content-encoding" in kept:
        # aws-chunked is how a body travels, not what it is.
        encodings = [e.strip() for e in kept["content-encoding"].split(",") if e.strip() != "aws-chunked"]
        kept["content-encoding"] = ", ".join(encodings)
        if not encodings:
            del kept["content-encoding"]
    kept.setdefault("content-type", "binary/octet-stream")
    user = {name: value for name, value in headers.items() if name.startswith(USER)}
    if sum(len(name) - len(USER) + len(value) for name, value in user.items()) > USER_BYTES_MAX:
        raise S3Error("MetadataTooLarge")
    return Meta(headers=kept | user, tags=tags_of(headers.get("x-amz-tagging", "")))


def response_headers(
    stored: Stored, query: Mapping[str, str], checksum: tuple[str, str, str] | None
) -> list[tuple[str, str]]:
    """An object's headers as GET and HEAD give them, with a checksum; `response-…` in the query overrides."""
    headers = {_NAMES.get(name, name): value for name, value in stored.meta.headers.items()}
    for name, header in _OVERRIDES.items():
        if name in query:
            headers[header] = one_line(query[name])
    headers |= {"ETag": f'"{stored.etag}"', "Accept-Ranges": "bytes"}
    if checksum:
        algorithm, value, kind = checksum
        headers |= {f"x-amz-checksum-{algorithm.lower()}": value, "x-amz-checksum-type": kind}
    headers |= dict(lock_headers(stored.meta))
    if stored.meta.storage_class:
        headers["x-amz-storage-class"] = stored.meta.storage_class
    if stored.meta.tags:
        headers["x-amz-tagging-count"] = str(len(stored.meta.tags))
    return list(headers.items())


def one_line(text: str) -> str:
    """Text that cannot begin a header of its own. Raises: S3Error InvalidArgument."""
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise S3Error("InvalidArgument", "A header cannot hold control characters.")
    return text.encode().decode("latin-1")


def tags_in(document: Node) -> dict[str, str]:
    """The tags of a Tagging document. Raises: S3Error."""
    sets = document.all("TagSet")
    if len(sets) != 1:
        raise S3Error("MalformedXML")
    return checked_tags([(tag.need("Key"), tag.need("Value")) for tag in sets[0].all("Tag")])


def tags_of(text: str) -> dict[str, str]:
    """The tags of an x-amz-tagging header (`a=1&b=2`). Raises: S3Error."""
    return checked_tags(sorted(parse_qsl(text, keep_blank_values=True, errors="replace")))


def checked_tags(pairs: list[tuple[str, str]], tags_max: int = TAGS_MAX) -> dict[str, str]:
    """Raises: S3Error InvalidTag for duplicates and what is too long or too many."""
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > tags_max:
        raise S3Error("InvalidTag", f"Tags cannot be more than {tags_max}")
    for key, value in pairs:
        if not 0 < len(key) <= 128 or key.startswith("aws:"):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid")
        if len(value) > 256:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid")
    return tags
