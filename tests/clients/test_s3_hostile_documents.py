"""XML that was written to hurt, or is only wrong: refused in S3's words, and nothing is done."""

from collections.abc import Iterator

import psutil
import pytest
from s3_plane import S3Plane, running_s3
from s3_wire import ask, head, received, signed

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "ha">{LAUGHS}]><Delete><Object><Key>&l9;</Key></Object></Delete>'
ONE = "<Delete><Object><Key>{}</Key></Object></Delete>"
OUTSIDE = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]>{ONE.format("&f;")}'

HEAD = b'<?xml version="1.0" encoding="utf-16"?>'
DELETES: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"  \n",
    "no XML": b"{}",
    "a part of it": b"<Delete><Object><Key>a</Key>",
    "two roots": b"<Delete><Object><Key>a</Key></Object></Delete><Delete/>",
    "another root": b"<Remove><Object><Key>a</Key></Object></Remove>",
    "nothing to delete": b"<Delete/>",
    "an object without a key": b"<Delete><Object><VersionId>null</VersionId></Object></Delete>",
    "a key twice": b"<Delete><Object><Key>b</Key><Key>a</Key></Object></Delete>",
    "an entity bomb": BOMB.encode(),
    "an entity bomb in UTF-16": BOMB.encode("utf-16"),
    "an entity bomb in UTF-16 without a mark": BOMB.encode("utf-16-be"),
    "an entity bomb in UTF-32": BOMB.encode("utf-32"),
    "a file of ours": OUTSIDE.encode(),
    "a file of ours in UTF-16": OUTSIDE.encode("utf-16-le"),
    "a document type elsewhere": b'<!DOCTYPE d SYSTEM "http://127.0.0.1:1/d.dtd"><Delete><Object><Key>a</Key></Object></Delete>',
    "an unknown entity": b"<Delete><Object><Key>&a;</Key></Object></Delete>",
    "an unknown encoding": b'<?xml version="1.0" encoding="none"?><Delete><Object><Key>a</Key></Object></Delete>',
    "a wide encoding": b'<?xml version="1.0" encoding="utf-7"?><Delete><Object><Key>a</Key></Object></Delete>',
    "an encoding it is not in": HEAD + b"<Delete><Object><Key>a</Key></Object></Delete>",
    "no UTF-8": b"<Delete><Object><Key>\xff</Key></Object></Delete>",
    "a surrogate": b"<Delete><Object><Key>\xed\xa0\x80</Key></Object></Delete>",
    "a NUL": b"<Delete><Object><Key>a\0</Key></Object></Delete>",
    "a reference to no character": b"<Delete><Object><Key>&#0;</Key></Object></Delete>",
    "a control character": b"<Delete><Object><Key>a\x01</Key></Object></Delete>",
    "an attribute twice": b'<Delete a="1" a="2"><Object><Key>a</Key></Object></Delete>',
    "a prefix of no namespace": b"<s:Delete><s:Object><s:Key>a</s:Key></s:Object></s:Delete>",
    "100,000 levels": b"<Delete>" + b"<Object>" * 100_000 + b"</Object>" * 100_000 + b"</Delete>",
    "100,000 levels that never end": b"<Delete>" + b"<a>" * 100_000,
    "1,001 objects": b"<Delete>" + b"<Object><Key>none</Key></Object>" * 1001 + b"</Delete>",
}  # fmt: skip


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="a", Body=b"x")
        yield plane
        assert client.get_object(Bucket="lake", Key="a")["Body"].read() == b"x"
        assert "s3.bug" not in (plane.folder / "s3.log").read_text()


@pytest.mark.parametrize("body", DELETES.values(), ids=DELETES.keys())
def test_a_deletion_that_is_not_understood_deletes_nothing(s3: S3Plane, body: bytes) -> None:
    """The whole document is read before anything is done."""
    assert ask(s3, "POST", "/lake?delete=", body).told == "400 MalformedXML"


ELSEWHERE = {
    "versioning": ("PUT", "/lake?versioning=", "VersioningConfiguration"),
    "object tags": ("PUT", "/lake/a?tagging=", "Tagging"),
    "bucket tags": ("PUT", "/lake?tagging=", "Tagging"),
    "lifecycle": ("PUT", "/lake?lifecycle=", "LifecycleConfiguration"),
    "CORS": ("PUT", "/lake?cors=", "CORSConfiguration"),
    "encryption": ("PUT", "/lake?encryption=", "ServerSideEncryptionConfiguration"),
    "notification": ("PUT", "/lake?notification=", "NotificationConfiguration"),
    "public access": ("PUT", "/lake?publicAccessBlock=", "PublicAccessBlockConfiguration"),
    "ownership": ("PUT", "/lake?ownershipControls=", "OwnershipControls"),
    "a new bucket": ("PUT", "/new", "CreateBucketConfiguration"),
}


@pytest.mark.parametrize(("method", "target", "root"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_every_document_is_read_with_the_same_care(s3: S3Plane, method: str, target: str, root: str) -> None:
    """A bomb, a file of ours, a document of another kind, one that is cut off."""
    bomb = BOMB.replace("Delete>", f"{root}>")
    for body in (bomb.encode(), bomb.encode("utf-16"), b"<Other/>", f"<{root}>".encode(), b"\0", b"<a>" * 100_000):
        assert ask(s3, method, target, body).told == "400 MalformedXML", body[:60]


def test_a_document_that_is_too_large_is_not_read(s3: S3Plane) -> None:
    """100 MB are announced: the answer comes before they do, and costs no memory."""
    before = sum(psutil.Process(pid).memory_info().rss for pid in s3.pids)
    asked = signed(s3, "POST", "/lake?delete=", {"Content-Length": str(100 * 2**20)})

    with s3.connection() as connection:
        connection.sendall(head("POST", "/lake?delete=", asked))
        (answer,) = received(connection)

    assert answer.told == "400 MaxMessageLengthExceeded"
    assert sum(psutil.Process(pid).memory_info().rss for pid in s3.pids) - before < 20 * 2**20


ACCEPTED = {
    "S3's namespace": f"<Delete {NS}><Object><Key>none</Key></Object></Delete>",
    "a prefix": f"<s:Delete {NS.replace('=', ':s=', 1)}><s:Object><s:Key>none</s:Key></s:Object></s:Delete>",
    "no namespace": "<Delete><Object><Key>none</Key></Object></Delete>",
    "a mark of UTF-8": "\ufeff<Delete><Object><Key>none</Key></Object></Delete>",
    "CDATA": "<Delete><Object><Key><![CDATA[none]]></Key></Object></Delete>",
    "comments": "<!-- a --><Delete><!-- b --><Object><Key>none</Key></Object></Delete>",
    "blanks between": "<Delete>\n  <Object>\n    <Key>none</Key>\n  </Object>\n</Delete>\n",
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_xml_in_other_words_is_understood(s3: S3Plane, body: str) -> None:
    """Strictness is for what is ambiguous, not for what is written differently."""
    answer = ask(s3, "POST", "/lake?delete=", body.encode())

    assert answer.told == "200"
    assert b"<Deleted><Key>none</Key></Deleted>" in answer.body
