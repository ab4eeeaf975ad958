"""Forms are read the same however their bytes arrive, and their policies allow what they name and nothing more."""

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.form_policy import check_allowed, policy_of
from weyr.gateway.s3.forms import Form, boundary_of, form_of

BOUNDARY = b"----x"
NOW = 1_000_000.0
EXPIRATION = "1970-01-13T00:00:00Z"
"""A while after now."""


class Pieces:
    """A body that arrives in given pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    async def chunk(self, at_least: int = 1) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def written(file: bytes, fields: dict[str, str], filename: str = "f") -> bytes:
    parts = [f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}'.encode() for n, v in fields.items()]
    head = f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: a/b\r\n\r\n'
    whole = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in [*parts, head.encode() + file])
    return whole + b"--" + BOUNDARY + b"--\r\n"


async def read(pieces: Sequence[bytes], least: int = 0, most: int = 2**30) -> tuple[Form, bytes]:
    form = await form_of(Pieces(pieces), BOUNDARY)
    form.least, form.most = least, most
    file = b""
    while chunk := await form.chunk(3):
        file += chunk
    return form, file


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b"\r\n", b"--", b"----", b"----x"[:4], b"a", b"\r", b"\n"]), max_size=8), st.data())
def test_a_form_is_read_however_it_arrives(parts: list[bytes], data: st.DataObject) -> None:
    """What looks like the beginning of a boundary is the file's, wherever the network cut it."""
    file = b"".join(parts)
    whole = written(file, {"Key": "k\r\n-", "x": "é"})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    if b"\r\n--" + BOUNDARY in file:
        return
    form, found = asyncio.run(read(pieces))
    assert (found, form.fields, form.size) == (file, {"key": "k\r\n-", "x": "é"}, len(file))


def test_a_file_has_the_length_that_its_policy_allows() -> None:
    whole = written(b"12345", {"key": "k"})
    assert asyncio.run(read([whole], 5, 5))[1] == b"12345"
    for least, most, code in ((0, 4, "EntityTooLarge"), (6, 9, "EntityTooSmall")):
        with pytest.raises(S3Error) as refused:
            asyncio.run(read([whole], least, most))
        assert refused.value.code == code


BROKEN = {
    "no file": (b"--" + BOUNDARY + b"--\r\n", "InvalidArgument"),
    "nothing": (b"", "MalformedPOSTRequest"),
    "a part without a name": (b"--" + BOUNDARY + b"\r\n\r\nx\r\n--" + BOUNDARY, "MalformedPOSTRequest"),
    "fields without end": (b"--" + BOUNDARY + b"\r\n" + b"x" * 70_000, "MaxPostPreDataLengthExceededError"),
    "many long fields": (written(b"", {str(n): "x" * 9_000 for n in range(9)}), "MaxPostPreDataLengthExceededError"),
    "a file without end": (written(b"x" * 99, {"key": "k"})[:-20], "IncompleteBody"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_form_is_refused(case: str) -> None:
    body, code = BROKEN[case]
    with pytest.raises(S3Error) as refused:
        asyncio.run(read([body]))
    assert refused.value.code == code


def test_only_a_form_has_a_boundary() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    for wrong in ("", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x"):
        with pytest.raises(S3Error):
            boundary_of(wrong)


def policy(*conditions: Any, **others: Any) -> str:
    document = {"expiration": EXPIRATION, "conditions": [{"bucket": "b"}, *conditions]} | others
    return base64.b64encode(json.dumps(document).encode()).decode()


KEY = ["starts-with", "$key", "a/"]
FIELDS = {"bucket": "b", "key": "a/1", "policy": "…", "signature": "…", "awsaccesskeyid": "…"}
ALLOWED = {
    "what it names": (policy(KEY), {}, ""),
    "names in any case": (policy(["STARTS-WITH", "$KEY", "a/"], {"ACL": "private"}), {"acl": "private"}, ""),
    "a checksum on top": (policy(KEY), {"x-amz-checksum-crc32": "…", "x-ignore-me": "…"}, ""),
    "another key": (policy(KEY), {"key": "b/1"}, "Condition failed"),
    "another bucket": (policy(KEY), {"bucket": "c"}, "Condition failed"),
    "a field that is missing": (policy(KEY, {"acl": "private"}), {}, "Condition failed"),
    "a field that it does not name": (policy(KEY), {"acl": "public-read"}, "Extra input fields: acl"),
    "too late": (policy(KEY, expiration="1970-01-01T00:00:00Z"), {}, "expired"),
    "one of several types": (
        policy(KEY, ["starts-with", "$Content-Type", "image/"]),
        {"content-type": "image/png,text/html"},
        "Condition failed",
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_policy_allows_what_it_names(case: str) -> None:
    text, fields, refusal = ALLOWED[case]
    if not refusal:
        check_allowed(policy_of(text), FIELDS | fields, NOW)
        return
    with pytest.raises(S3Error, match=refusal):
        check_allowed(policy_of(text), FIELDS | fields, NOW)


MALFORMED = {
    "no JSON": base64.b64encode(b"{").decode(),
    "no base64": "=",
    "no expiration": policy(expiration=None),
    "a time of no zone": policy(expiration="1970-01-13T00:00:00"),
    "no conditions": policy(conditions=[]),
    "an empty condition": policy({}),
    "half a range": policy(["content-length-range", 0]),
    "a range below zero": policy(["content-length-range", -1, 0]),
    "an unknown operator": policy(["ends-with", "$key", "x"]),
    "a number for a text": policy(["eq", "$key", 1]),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_policy_is_refused(case: str) -> None:
    with pytest.raises(S3Error) as refused:
        policy_of(MALFORMED[case])
    assert refused.value.code == "InvalidPolicyDocument"
