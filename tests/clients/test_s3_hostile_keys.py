"""Keys are bytes that only clients give a meaning: each is stored as itself, and none is ever a path."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from s3_plane import S3Plane, running_s3
from s3_shelf import leaks
from s3_wire import ask

KEYS = {
    "a folder above": "..",
    "a path above": "../../../../etc/passwd",
    "a path through": "a/../../b",
    "this folder": ".",
    "a path here": "./a/./b",
    "a slash": "/",
    "slashes": "a//b///",
    "a leading slash": "/etc/passwd",
    "a trailing slash": "folder/",
    "NUL": "a\0b",
    "a NUL alone": "\0",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "a line break": "a\r\nSet-Cookie: b",
    "1,024 bytes": "k" * 1024,
    "1,024 bytes of 4": "\U0001f600" * 256,
    "composed": unicodedata.normalize("NFC", "ä가ﬁ"),
    "decomposed": unicodedata.normalize("NFD", "ä가ﬁ"),
    "lower case": "case",
    "upper case": "CASE",
    "a device": "CON",
    "another device": "nul.txt",
    "a stream of NTFS": "file:stream",
    "a trailing dot": "file.",
    "blanks": " a  b ",
    "plus": "a+b",
    "percent": "100%",
    "percent-encoded": "a%2Fb",
    "twice percent-encoded": "a%252Fb",
    "query and fragment": "a?versionId=null#b",
    "markup": "<a>&amp;\"'</a>]]>",
    "no characters": "\ufffe\uffff",
    "right to left": "\u202egnp.exe",
    "highest": "\U0010ffff",
    "a pattern": "*[a-z]?%_",
    "SQL": "'; DROP TABLE objects; --",
    "a template": "{0}%s${a}",
    "our own folders": "blobs/00000000/00000001",
}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3") / "deep" / "inside") as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane
        assert "s3.bug" not in (plane.folder / "s3.log").read_text()


def every_byte(key: str) -> str:
    """A key with each of its bytes percent-encoded."""
    return "".join(f"%{byte:02X}" for byte in key.encode())


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_key_is_stored_as_itself(s3: S3Plane, key: str) -> None:
    """However it is encoded it is found, and nothing else is found in its place."""
    body = every_byte(key).encode()
    assert ask(s3, "PUT", f"/lake/{every_byte(key)}", body).told == "200"

    for form in (every_byte(key), every_byte(key).lower(), quote(key, safe="/~")):
        assert ask(s3, "GET", f"/lake/{form}").body == body, form


def test_every_key_is_listed_once_and_in_order(s3: S3Plane) -> None:
    """In the order of their bytes. No two of them are one, as on disks that fold case or compose letters."""
    for key in KEYS.values():
        assert ask(s3, "PUT", f"/lake/{every_byte(key)}", b"x").told == "200"

    encoded = ElementTree.fromstring(ask(s3, "GET", "/lake?encoding-type=url&list-type=2").body)

    names = [node.text for node in encoded.iter() if node.tag.endswith("}Key")]
    assert names == [quote(key, safe="/*-._~") for key in sorted(KEYS.values(), key=str.encode)]


def test_what_xml_cannot_hold_is_referred_to(s3: S3Plane) -> None:
    """As S3 does it: without an encoding they become `&#x1;`, which lenient readers understand, never the byte."""
    ask(s3, "PUT", "/lake/z%00%01%0Bz", b"x")
    ask(s3, "PUT", "/lake/z%0D%0A", b"x")

    listed = ask(s3, "GET", "/lake?prefix=z").body

    assert b"<Key>z&#x0;&#x1;&#xB;z</Key>" in listed
    assert b"<Key>z&#13;\n</Key>" in listed
    for key in ("z%00%01%0Bz", "z%0D%0A"):
        assert ask(s3, "DELETE", f"/lake/{key}").told == "204"


def test_a_refusal_can_be_read_whatever_the_key(s3: S3Plane) -> None:
    """A client that cannot read why it was refused makes up a reason. (botocore took the status for the code.)"""
    refused = ask(s3, "GET", "/lake/none%00%01%0B%EF%BF%BF%3C")

    assert refused.told == "404 NoSuchKey"
    assert ElementTree.fromstring(refused.body).findtext("Resource") == "/lake/none%00%01%0B%EF%BF%BF<"


REFUSED = {
    "1,025 bytes": ("k" * 1025, "400 KeyTooLongError"),
    "1,025 bytes of 1,024 characters": ("k" * 1023 + "%C3%A4", "400 KeyTooLongError"),
    "a byte of no character": ("%FF", "400 InvalidURI"),
    "half a character": ("a%C3", "400 InvalidURI"),
    "a surrogate": ("%ED%A0%80", "400 InvalidURI"),
    "a pair of surrogates": ("%ED%A0%BD%ED%B8%80", "400 InvalidURI"),
    "a dot, overlong": ("%C0%AE%C0%AE", "400 InvalidURI"),
    "a slash, overlong": ("%E0%80%AF", "400 InvalidURI"),
    "beyond Unicode": ("%F4%90%80%80", "400 InvalidURI"),
    "no percent-encoding": ("%zz", "400 InvalidURI"),
    "half a percent-encoding": ("a%2", "400 InvalidURI"),
}


@pytest.mark.parametrize(("path", "told"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_what_is_no_key_is_refused(s3: S3Plane, method: str, path: str, told: str) -> None:
    """Not mended by guess: the key that comes back would not be the one that was sent."""
    assert ask(s3, method, f"/lake/{path}", b"x" if method == "PUT" else b"").told == told


def test_no_key_becomes_a_path(s3: S3Plane) -> None:
    """Whatever the keys are, the folder holds what its index names, and nothing has appeared around it."""
    for key in KEYS.values():
        ask(s3, "PUT", f"/lake/{every_byte(key)}", b"x" * 20_000)

    assert not leaks(s3)
    outside = [path for path in s3.folder.parents[1].rglob("*") if not path.is_relative_to(s3.folder / "s3")]
    allowed = {s3.folder.parent, s3.folder, *(s3.folder / name for name in NAMES)}
    assert {path for path in outside if path not in allowed} == set()
    assert all(path.name.isalnum() for path in (s3.folder / "s3" / "blobs").rglob("*"))


NAMES = ("s3", "credentials.json", "audit.jsonl", "info.json", "s3.log")


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "a%00b", "a/b", "A", "ab", "a_b", "xn--a", "a" * 64, "%ff", "ä"])
def test_no_bucket_name_becomes_a_path(s3: S3Plane, name: str, tmp_path: Path) -> None:
    """A bucket's name is refused unless it may be one."""
    answer = ask(s3, "PUT", f"/{quote(name, safe='/%')}")

    assert answer.code in ("InvalidBucketName", "InvalidURI", "NoSuchBucket"), answer.told
    assert [bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]] == ["lake"]
