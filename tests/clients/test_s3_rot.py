"""Bits turn on disks, files are cut and change places: what is read is what was put, or nothing."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from s3_plane import S3Plane, running_s3

MIB = 2**20
CUT_OFF = "IncompleteRead|Connection broken"
"""What boto3 says of an answer that ends before its length."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("rot")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@pytest.fixture(scope="module")
def client(s3: S3Plane) -> Any:
    return s3.client()


def blobs_of(s3: S3Plane, key: str) -> list[int]:
    """The numbers of an object's blobs, in order."""
    with sqlite3.connect(s3.folder / "s3" / "index.db") as db:
        row = db.execute("SELECT segments FROM objects WHERE key = ?", (key,)).fetchone()
    return [int(entry.partition(":")[0].lstrip("i")) for entry in row[0].split(",")]


def file_of(s3: S3Plane, blob: int) -> Path:
    return s3.folder / "s3" / "blobs" / f"{blob // 4096:08x}" / f"{blob:08x}"


def turn_bit(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def cut(path: Path, to: int) -> None:
    os.truncate(path, to)


def read(client: Any, key: str, **asked: Any) -> bytes:
    with client.get_object(Bucket="lake", Key=key, **asked)["Body"] as body:
        return bytes(body.read())


def refusal(client: Any, key: str, **asked: Any) -> str:
    with pytest.raises(ClientError) as error:
        read(client, key, **asked)
    return str(error.value.response["Error"]["Code"])


def known(s3: S3Plane) -> dict[int, str]:
    """The damaged blobs that the plane has written down."""
    with sqlite3.connect(s3.folder / "s3" / "index.db") as db:
        return dict(db.execute("SELECT blob, why FROM rot"))


def uploaded(client: Any, key: str, parts: list[bytes]) -> None:
    upload = client.create_multipart_upload(Bucket="lake", Key=key)["UploadId"]
    asked = {"Bucket": "lake", "Key": key, "UploadId": upload}
    done = [
        {"PartNumber": number, "ETag": client.upload_part(PartNumber=number, Body=part, **asked)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(MultipartUpload={"Parts": done}, **asked)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a bit of its first byte": lambda path: turn_bit(path, 0),
    "a bit of its last byte": lambda path: turn_bit(path, path.stat().st_size - 1),
    "cut by one byte": lambda path: cut(path, path.stat().st_size - 1),
    "emptied": lambda path: cut(path, 0),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("size", [20_000, 300_000, MIB, 3 * MIB + 1])
@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_at_its_beginning_is_refused(s3: S3Plane, client: Any, damage: str, size: int) -> None:
    """An object of one window is compared whole before the first byte of it goes out."""
    client.put_object(Bucket="lake", Key="plain", Body=os.urandom(size))
    (blob,) = blobs_of(s3, "plain")
    DAMAGES[damage](file_of(s3, blob))

    assert refusal(client, "plain") == "InternalError"
    assert blob in known(s3)


def test_a_damage_farther_on_cuts_the_answer_off(s3: S3Plane, client: Any) -> None:
    """What was sent by then is good, and nobody can take it for the whole."""
    body = os.urandom(12 * MIB)
    client.put_object(Bucket="lake", Key="long", Body=body)
    (blob,) = blobs_of(s3, "long")
    turn_bit(file_of(s3, blob), 9 * MIB)

    with pytest.raises(Exception, match=CUT_OFF):
        read(client, "long")
    with client.get_object(Bucket="lake", Key="long")["Body"] as answer:
        got = b"".join(answer.read(MIB) for _ in range(8))
    assert got == body[: 8 * MIB]
    assert read(client, "long", Range="bytes=0-1048575") == body[:MIB], "what is whole is given"
    assert refusal(client, "long", Range=f"bytes={9 * MIB}-{9 * MIB + 5}") == "InternalError"
    assert read(client, "long", Range=f"bytes={10 * MIB}-") == body[10 * MIB :]


def test_files_that_changed_places_are_noticed(s3: S3Plane, client: Any) -> None:
    """Each is whole, and the wrong one."""
    for key in ("one", "other"):
        client.put_object(Bucket="lake", Key=key, Body=os.urandom(100_000))
    one, other = (file_of(s3, blobs_of(s3, key)[0]) for key in ("one", "other"))
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)

    assert refusal(client, "one") == "InternalError"
    assert refusal(client, "other") == "InternalError"


def test_a_damaged_part_spoils_nothing_before_it(s3: S3Plane, client: Any) -> None:
    """Each part is a blob; ranges that do not touch the damaged one are read."""
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(70_000)]
    uploaded(client, "parts", parts)
    assert read(client, "parts") == b"".join(parts)
    turn_bit(file_of(s3, blobs_of(s3, "parts")[1]), 4 * MIB + 3)

    assert read(client, "parts", PartNumber=1) == parts[0]
    assert read(client, "parts", PartNumber=3) == parts[2]
    with pytest.raises(Exception, match=CUT_OFF):
        read(client, "parts")
    file_of(s3, blobs_of(s3, "parts")[2]).unlink()
    assert refusal(client, "parts", PartNumber=3) == "InternalError"


@pytest.mark.parametrize("asked", [{}, {"ServerSideEncryption": "AES256"}])
def test_small_ones_in_the_index_are_compared(s3: S3Plane, client: Any, asked: dict[str, Any]) -> None:
    """SQLite does not notice a bit that turned inside a value."""
    client.put_object(Bucket="lake", Key="small", Body=b"as it was put", **asked)
    (blob,) = blobs_of(s3, "small")
    with sqlite3.connect(s3.folder / "s3" / "index.db") as db:
        (data,) = db.execute("SELECT data FROM blobs WHERE id = ?", (blob,)).fetchone()
        db.execute("UPDATE blobs SET data = ? WHERE id = ?", (data[:-1] + bytes([data[-1] ^ 1]), blob))

    assert refusal(client, "small") == "InternalError"
    assert refusal(client, "small", Range="bytes=0-3") == "InternalError"
    assert client.head_object(Bucket="lake", Key="small")["ContentLength"] == 13


def test_a_copy_that_has_to_read_does_not_make_rot_good(s3: S3Plane, client: Any) -> None:
    """A copy with digests of its own would be wrong and look right for ever."""
    client.put_object(Bucket="lake", Key="source", Body=os.urandom(3 * MIB))
    turn_bit(file_of(s3, blobs_of(s3, "source")[0]), 2 * MIB)
    with pytest.raises(ClientError, match="InternalError"):
        client.copy_object(
            Bucket="lake", Key="copy", CopySource="lake/source", ServerSideEncryption="AES256", MetadataDirective="COPY"
        )
    upload = client.create_multipart_upload(Bucket="lake", Key="copy")["UploadId"]
    with pytest.raises(ClientError, match="InternalError"):
        client.upload_part_copy(Bucket="lake", Key="copy", UploadId=upload, PartNumber=1, CopySource="lake/source")


def test_what_is_put_anew_is_whole(s3: S3Plane, client: Any) -> None:
    """A damage is the blob's: it is forgotten with it."""
    client.put_object(Bucket="lake", Key="anew", Body=os.urandom(50_000))
    (blob,) = blobs_of(s3, "anew")
    turn_bit(file_of(s3, blob), 1)
    assert refusal(client, "anew") == "InternalError"
    assert blob in known(s3)

    body = os.urandom(50_000)
    client.put_object(Bucket="lake", Key="anew", Body=body)
    assert read(client, "anew") == body
    assert blob not in known(s3)
