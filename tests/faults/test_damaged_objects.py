"""The object store's own files may be damaged. Then no plane starts over them, and what is whole stays whole."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from s3_plane import S3Plane, running_s3
from test_damaged_files import DAMAGES, put_back

OBJECTS = {"small": b"in the index itself", "large": os.urandom(300_000)}
INDEX_DAMAGES: dict[str, Callable[[Path], None]] = {**DAMAGES, "gone": Path.unlink}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    """A stopped plane that holds a small object and a large one."""
    with running_s3(tmp_path_factory.mktemp("objects")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        for key, content in OBJECTS.items():
            client.put_object(Bucket="lake", Key=key, Body=content)
        plane.stop()
        yield plane


def held(plane: S3Plane) -> dict[str, bytes]:
    return {key: plane.client().get_object(Bucket="lake", Key=key)["Body"].read() for key in OBJECTS}


@pytest.mark.parametrize("damage", INDEX_DAMAGES)
def test_no_plane_starts_over_a_damaged_index(plane: S3Plane, damage: str) -> None:
    """An empty index names no blob: one that began anew would remove all that is stored as nobody's."""
    index = plane.folder / "s3" / "index.db"
    before = index.read_bytes()
    INDEX_DAMAGES[damage](index)

    with pytest.raises(AssertionError) as refused:
        plane.start()

    assert "error: The S3 plane cannot start" in str(refused.value)
    assert str(plane.folder / "s3") in str(refused.value)
    put_back(index, before)
    plane.start()
    assert held(plane) == OBJECTS
    plane.stop()


@pytest.mark.parametrize("damage", ["empty", "cut in half", "gone"])
def test_a_damaged_blob_concerns_its_object_alone(plane: S3Plane, damage: str) -> None:
    """Whoever reads it gets an error or a connection that breaks, never part of it as the whole."""
    (blob,) = (path for path in (plane.folder / "s3" / "blobs").glob("*/*") if path.is_file())
    before = blob.read_bytes()
    INDEX_DAMAGES[damage](blob)
    plane.start()

    with pytest.raises((BotoCoreError, ClientError)):
        held(plane)

    assert plane.client().get_object(Bucket="lake", Key="small")["Body"].read() == OBJECTS["small"]
    plane.stop()
    blob.parent.mkdir(exist_ok=True)  # an empty folder of blobs is cleared away
    put_back(blob, before)
    plane.start()
    assert held(plane) == OBJECTS
    plane.stop()
