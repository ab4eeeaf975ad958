"""A bucket's own tiers: clients put objects there, rules move them there, and what is of each class is counted."""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

MB = 2**20
WAIT_S = 120.0
OWNER = "digits:bucket/lake"
RULE = {"prefix": "old/", "move_after_s": 0.3, "to": "COLD"}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Plane]:
    with running_s3(tmp_path, arguments=["--sweep-every-s", "0.1"]) as plane:
        yield plane


def until(is_so: Callable[[], object], what: str, every_s: float = 0.05) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(every_s)


def wish(s3: S3Plane, *rules: dict[str, Any], name: str = "lake", **tiers: str) -> int:
    """Asks for the bucket with these tiers; gives the answer's status."""
    document = {"owner": f"digits:bucket/{name}", "lifecycle": list(rules), "tiers": tiers}
    return s3.ask("PUT", f"/buckets/{name}", document)[0]


def shown(s3: S3Plane, name: str = "lake") -> dict[str, Any]:
    """The bucket's classes by name, with what it holds altogether as ""."""
    bucket = s3.ask("GET", f"/buckets/{name}")[1]
    return {"": bucket["size_bytes"], **{one["name"]: one for one in bucket["classes"]}}


def of_reads(s3: S3Plane) -> tuple[int, int]:
    ice = shown(s3)["STANDARD_IA"]
    return ice["read_bytes"], ice["reads"]


def class_of(client: Any, key: str, bucket: str = "lake") -> str:
    return str(client.head_object(Bucket=bucket, Key=key).get("StorageClass", "STANDARD"))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def is_at_its_tier(s3: S3Plane, objects: int = 1) -> bool:
    """Whether the index names so many objects there: until then each is read back, and lies in both places."""
    db = sqlite3.connect(s3.folder / "s3" / "index.db")
    (count,) = db.execute("SELECT count(*) FROM objects WHERE segments LIKE 'a%'").fetchone()
    db.close()
    return bool(count >= objects)


def recount(s3: S3Plane) -> None:
    """Whatever came to pass, what is kept of each class is what its rows come to."""
    db = sqlite3.connect(s3.folder / "s3" / "index.db")
    kept = dict(db.execute("SELECT class, size_bytes FROM classes WHERE objects ORDER BY class").fetchall())
    rows = "SELECT class, size FROM objects UNION ALL SELECT class, size FROM history"
    true = dict(db.execute(f"SELECT class, sum(size) FROM ({rows}) WHERE class <> '' GROUP BY class").fetchall())
    db.close()
    assert kept == true


def test_objects_of_a_class_lie_at_its_tier_and_are_counted_there(s3: S3Plane, tmp_path: Path) -> None:
    """Put there by an unmodified client or moved by a rule, they are read as before; and brought back by a copy."""
    cold, ice = tmp_path / "cold", tmp_path / "ice"
    assert wish(s3, RULE, COLD=f"file://{cold}", STANDARD_IA=f"file://{ice}") == 200
    client, body = s3.client(), b"0123456789abcdef" * (MB // 16)
    client.put_object(Bucket="lake", Key="put", Body=body, StorageClass="STANDARD_IA")
    client.put_object(Bucket="lake", Key="old/one", Body=body)
    client.put_object(Bucket="lake", Key="small", Body=b"few", StorageClass="COLD")
    client.put_object(Bucket="lake", Key="here", Body=body)
    assert class_of(client, "put") == "STANDARD_IA", "at once, as S3 has it"

    until(lambda: len(files_in(cold)) == len(files_in(ice)) == 1, "they do not get to their tiers")
    until(lambda: class_of(client, "old/one") == "COLD", "the rule moves nothing")
    listed = {one["Key"]: one["StorageClass"] for one in client.list_objects_v2(Bucket="lake")["Contents"]}
    assert listed == {"put": "STANDARD_IA", "old/one": "COLD", "small": "COLD", "here": "STANDARD"}
    for key in ("put", "old/one"):
        assert client.get_object(Bucket="lake", Key=key)["Body"].read() == body
    assert client.get_object(Bucket="lake", Key="put", Range="bytes=3-12")["Body"].read() == body[3:13]
    counted = (MB + 10, 3)
    until(lambda: of_reads(s3) == counted, "what was read is not counted")
    there = shown(s3)
    assert there[""] == 3 * MB + 3
    sizes = {name: (one["objects"], one["size_bytes"], one["moves"]) for name, one in there.items() if name}
    assert sizes == {"STANDARD_IA": (1, MB, 0), "COLD": (2, MB + 3, 1)}
    assert (there["STANDARD_IA"]["writes"], there["STANDARD_IA"]["reads"]) == (1, 3)

    client.copy_object(Bucket="lake", Key="put", CopySource="lake/put", StorageClass="STANDARD")
    client.copy_object(Bucket="lake", Key="old/one", CopySource="lake/old/one", StorageClass="STANDARD_IA")
    assert [class_of(client, key) for key in ("put", "old/one")] == ["STANDARD", "STANDARD_IA"]
    assert client.get_object(Bucket="lake", Key="put")["Body"].read() == body
    until(lambda: not files_in(cold), "the tier keeps what went to another one")
    assert client.get_object(Bucket="lake", Key="old/one")["Body"].read() == body
    recount(s3)


def test_a_tier_that_holds_something_neither_goes_nor_moves(s3: S3Plane, tmp_path: Path) -> None:
    """Its place is known by the bucket: without it nobody could read what is there, or remove it."""
    url = f"file://{tmp_path / 'cold'}"
    wish(s3, COLD=url)
    client = s3.client()
    client.put_object(Bucket="lake", Key="key", Body=b"x" * MB, StorageClass="COLD")
    until(lambda: is_at_its_tier(s3), "it does not get to its tier")

    assert wish(s3) == wish(s3, COLD=f"file://{tmp_path / 'other'}") == 409
    assert wish(s3, RULE, STANDARD_IA="file:///x") == 400, "a rule that moves to no tier"
    assert wish(s3, COLD="ftp://x") == wish(s3, cold=url) == 400
    client.delete_object(Bucket="lake", Key="key")
    until(lambda: wish(s3) == 200, "its tier is not let go once it is empty")
    assert not files_in(tmp_path / "cold")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="lake", Key="key", Body=b"", StorageClass="COLD")
    assert caught.value.response["Error"]["Code"] == "InvalidStorageClass"
    assert shown(s3)["COLD"]["writes"] >= 0, "a class that was there is told of, as counters only grow"


def test_two_buckets_have_tiers_of_one_name_and_share_nothing(s3: S3Plane, tmp_path: Path) -> None:
    """A copy between buckets is written anew: the tier of the other bucket may be gone tomorrow. Removing a bucket
    removes what it has at its tier first, and nothing of its neighbour's."""
    for name in ("lake", "pond"):
        wish(s3, name=name, COLD=f"file://{tmp_path / name}")
    client, body = s3.client(), b"y" * MB
    for name in ("lake", "pond"):
        client.put_object(Bucket=name, Key="key", Body=body, StorageClass="COLD")
    # Their files are there first, and the index names them a moment later: the copy may come between.
    until(lambda: files_in(tmp_path / "lake") and files_in(tmp_path / "pond"), "they do not get to their tiers", 0)
    client.copy_object(Bucket="pond", Key="copy", CopySource="lake/key")
    assert class_of(client, "copy", "pond") == "STANDARD"
    until(lambda: is_at_its_tier(s3, 2), "the index does not name their tiers")

    until(lambda: s3.ask("DELETE", "/buckets/lake?force=1")[0] == 204, "the bucket does not go")
    assert not files_in(tmp_path / "lake")
    assert client.get_object(Bucket="pond", Key="copy")["Body"].read() == body
    assert client.get_object(Bucket="pond", Key="key")["Body"].read() == body


def test_a_bucket_stays_until_its_tier_has_let_go(s3: S3Plane, tmp_path: Path) -> None:
    """Where a tier cannot remove what it has, the answer says so; what is there would be paid for by nobody known."""
    cold = tmp_path / "cold"
    wish(s3, COLD=f"file://{cold}")
    s3.client().put_object(Bucket="lake", Key="key", Body=b"x" * MB, StorageClass="COLD")
    until(lambda: is_at_its_tier(s3), "it does not get to its tier")
    (file,) = files_in(cold)
    held = file.read_bytes()
    file.unlink()
    file.mkdir()  # what cannot be removed as a file
    (file / "in the way").write_bytes(held)

    until(lambda: s3.ask("DELETE", "/buckets/lake?force=1")[0] == 409, "a tier that is in the way is not told of")
    (file / "in the way").unlink()
    file.rmdir()
    until(lambda: s3.ask("DELETE", "/buckets/lake?force=1")[0] == 204, "the bucket does not go")


def test_a_plane_that_is_killed_on_the_way_loses_nothing_and_counts_right(s3: S3Plane, tmp_path: Path) -> None:
    """kill -9 while objects come and move: what was acknowledged is read, and no byte is of two classes or of none."""
    cold = tmp_path / "cold"
    wish(s3, RULE, COLD=f"file://{cold}", STANDARD_IA=f"file://{tmp_path / 'ice'}")
    put: dict[str, bytes] = {}
    for round in range(4):
        client = s3.client()
        for number in range(6):
            key, body = f"{'old/' * (number % 2)}{round}-{number}", bytes([round * 16 + number]) * (MB // 2 + number)
            client.put_object(Bucket="lake", Key=key, Body=body, StorageClass=("STANDARD_IA", "STANDARD")[number % 2])
            put[key] = body
        time.sleep(0.15 * round)  # somewhere between a mark, a put at the tier and the commit that names it
        s3.stop(signal.SIGKILL)
        recount(s3)
        s3.start()
    client = s3.client()
    until(lambda: all(class_of(client, key) != "STANDARD" for key in put), "some never moved")
    for key, body in put.items():
        assert client.get_object(Bucket="lake", Key=key)["Body"].read() == body
    until(lambda: len(files_in(cold)) == len(files_in(tmp_path / "ice")) == 12, "what a kill left is still there")
    there = shown(s3)
    assert there[""] == sum(map(len, put.values())) == there["COLD"]["size_bytes"] + there["STANDARD_IA"]["size_bytes"]
    assert there["COLD"]["moves"] == 12, "each move once, however often it was begun"
    recount(s3)
