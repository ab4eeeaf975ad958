"""Who can open an object? What a request asks for, whose key wraps the object's, and what is told about it.

Every encrypted object has a data key of its own, kept beside it wrapped: by the bucket's key (`AES256`), by a named key
of the plane (`aws:kms`), or by the customer's, which is kept nowhere. A copy from one to another wraps the data key
again and touches no byte.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.call import Call, Plane
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.keyring import BUCKET_KEY, BUCKET_MODE
from weyr.gateway.s3.records import Bucket, Encryption
from weyr.gateway.s3.sealing import KEY_BYTES, WrongKey, new_key, unwrapped, wrapped

SSE = "x-amz-server-side-encryption"
KMS_KEY = f"{SSE}-aws-kms-key-id"
CUSTOMER = f"{SSE}-customer-"
SOURCE_CUSTOMER = f"x-amz-copy-source-{CUSTOMER[len('x-amz-') :]}"
SETTING = "encryption"


class Mode(StrEnum):
    BUCKET = BUCKET_MODE
    NAMED = "aws:kms"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Wish:
    """How an object is to be encrypted. `by` is a named key's name, `key` the customer's key."""

    mode: Mode
    by: str = ""
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is kept of an object's encryption, and the data key for its bytes."""

    record: Encryption
    key: bytes = field(repr=False)


async def sealing_for(call: Call, wish: Wish | None, data_key: bytes | None = None) -> Sealing | None:
    """How the object is encrypted that the call puts; None where it is to lie plain.

    Takes: `data_key`, that of a source whose bytes are to be used again.
    Raises: S3Error where the named key is not there.
    """
    if wish is None:
        return None
    data_key = data_key or new_key()
    match wish.mode:
        case Mode.BUCKET:
            by, key = await _bucket_key(call)
        case Mode.NAMED:
            by, key = wish.by, _named_key(call.plane, wish.by)
        case Mode.CUSTOMER:
            by, key = "", wish.key
    return Sealing(Encryption(wish.mode.value, by, wrapped(key, data_key, call.bucket, call.key)), data_key)


def wish_of(call: Call) -> Wish | None:
    """What the request's headers ask for, else what the bucket does by default. Raises: S3Error."""
    headers = call.headers
    customer, asked, named = customer_key(headers, CUSTOMER), headers.get(SSE), headers.get(KMS_KEY)
    if customer is not None:
        if asked is not None or named is not None:
            raise _invalid("A key of the customer's cannot be used with another method of encryption.", SSE)
        return Wish(Mode.CUSTOMER, key=customer)
    if asked is None and named is None:
        kept = call.there.settings.get(SETTING)
        return default_of(kept) if kept else None
    return checked_wish(asked, named)


def checked_wish(asked: str | None, named: str | None) -> Wish:
    """A method and a key's name that go together. Raises: S3Error."""
    if asked == "aws:kms:dsse":
        raise not_implemented("encryption in two layers")
    if asked not in (Mode.BUCKET, Mode.NAMED):
        raise _invalid("The encryption method specified is not supported", SSE)
    if asked == Mode.BUCKET and named is not None:
        raise _invalid("A key can only be named with aws:kms.", KMS_KEY)
    if asked == Mode.NAMED and not named:
        raise _invalid("aws:kms needs the name of one of the plane's keys: there is no key by default.", KMS_KEY)
    return Wish(Mode(asked), named or "")


def default_of(kept: str) -> Wish:
    """A bucket's default from its setting: `AES256`, or `aws:kms` and a key's name."""
    mode, _, name = kept.partition(" ")
    return Wish(Mode(mode), name)


def customer_key(headers: Mapping[str, str], prefix: str) -> bytes | None:
    """The key that the customer gives, None where it gives none of the three headers. Raises: S3Error."""
    algorithm, key, digest = (headers.get(prefix + name) for name in ("algorithm", "key", "key-md5"))
    if algorithm is None and key is None and digest is None:
        return None
    if algorithm is None:
        raise _invalid("A customer's key needs its algorithm.", f"{prefix}algorithm")
    if algorithm != "AES256":
        raise S3Error("InvalidEncryptionAlgorithmError", ArgumentName=f"{prefix}algorithm", ArgumentValue=algorithm)
    if key is None:
        raise _invalid("The customer's key is missing.", f"{prefix}key")
    if digest is None:
        raise _invalid("The MD5 of the customer's key is missing.", f"{prefix}key-md5")
    try:
        raw = b64decode(key, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise _invalid("The customer's key was invalid for the algorithm.", f"{prefix}key")
    if b64encode(hashlib.md5(raw, usedforsecurity=False).digest()).decode() != digest:
        raise _invalid("The MD5 of the customer's key is not that of the key.", f"{prefix}key-md5")
    return raw


def data_key_of(
    call: Call, bucket: Bucket, key: str, encryption: Encryption | None, prefix: str = CUSTOMER
) -> bytes | None:
    """The key that opens an object's bytes, None where they lie plain.

    Takes: `prefix`, of the headers that hold the customer's key.
    Raises: S3Error where the caller has to bring a key and does not, or brings one that does not open it.
    """
    customer = customer_key(call.headers, prefix)
    if encryption is None or encryption.mode != Mode.CUSTOMER:
        if customer is not None:
            raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")
        if encryption is None:
            return None
    elif customer is None:
        raise S3Error(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided.",
        )
    try:
        return unwrapped(_opener(call.plane, bucket, encryption, customer), encryption.key, bucket.name, key)
    except WrongKey as e:
        if customer is not None:
            message = "The provided encryption parameters did not match the ones used originally."
            raise S3Error("InvalidRequest", message) from e
        raise S3Error("InternalError", f"The key of the object does not open: {e}") from e


def opened_by_plane(plane: Plane, bucket: Bucket, key: str, encryption: Encryption | None) -> bytes | None:
    """The key that opens an object without a caller, None where its bytes lie plain. Not for customers' keys.

    Raises: S3Error where it does not open.
    """
    if encryption is None:
        return None
    try:
        return unwrapped(_opener(plane, bucket, encryption, None), encryption.key, bucket.name, key)
    except WrongKey as e:
        raise S3Error("InternalError", f"The key of the object does not open: {e}") from e


def _opener(plane: Plane, bucket: Bucket, encryption: Encryption, customer: bytes | None) -> bytes:
    """The key that wraps an object's data key."""
    match Mode(encryption.mode):
        case Mode.BUCKET:
            return plane.keyring.opened(bucket.name, bucket.settings[BUCKET_KEY])[1]
        case Mode.NAMED:
            return _named_key(plane, encryption.by)
        case Mode.CUSTOMER:
            assert customer is not None, "who brings no key was refused"
            return customer


def check_reading(headers: Mapping[str, str]) -> None:
    """How an object is encrypted cannot be asked for when it is read. Raises: S3Error InvalidArgument."""
    for name in (SSE, KMS_KEY):
        if name in headers:
            raise _invalid(f"{name} has no meaning for a request that reads.", name)


def headers_for(encryption: Encryption | None, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """What an answer tells about an object's encryption. Takes: the request's headers, which hold a customer's key."""
    if encryption is None:
        return []
    match Mode(encryption.mode):
        case Mode.BUCKET:
            return [(SSE, Mode.BUCKET.value)]
        case Mode.NAMED:
            return [(SSE, Mode.NAMED.value), (KMS_KEY, encryption.by)]
        case Mode.CUSTOMER:
            digest = headers.get(f"{CUSTOMER}key-md5")
            return [(f"{CUSTOMER}algorithm", "AES256"), *([(f"{CUSTOMER}key-md5", digest)] if digest else [])]


async def _bucket_key(call: Call) -> tuple[str, bytes]:
    """(id, key) of the call's bucket; it gets its key when the first object needs it."""
    keyring, name = call.plane.keyring, call.bucket
    kept = call.there.settings.get(BUCKET_KEY)
    if kept is None:
        fresh = keyring.closed(name, new_key())
        kept = await call.plane.index.write(
            partial(bucket_writes.keep_first, name=name, setting=BUCKET_KEY, text=fresh)
        )
    try:
        return keyring.opened(name, kept)
    except WrongKey as e:
        raise S3Error("InternalError", f"The bucket's key does not open: {e}") from e


def _named_key(plane: Plane, name: str) -> bytes:
    key = plane.keyring.named.get(name)
    if key is None:
        raise S3Error("KMS.NotFoundException", f"This plane has no key that is named {name}.")
    return key


def _invalid(message: str, header: str) -> S3Error:
    return S3Error("InvalidArgument", message, ArgumentName=header)
