"""The disk of a whole data folder fills under a stack that runs. With room again it settles by itself."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from loopback import free_port
from one_user import User, until
from small_disk import SmallDisk, small_disk

STACK = """\
stack: small
buckets:
  lake: {}
jobs:
  work:
    run: 'echo begun >>begun; while [ ! -e go ]; do sleep 0.05; done; echo ended'
"""


@pytest.fixture
def near_disk() -> Iterator[SmallDisk]:
    """A small disk under a short path, where a data folder keeps its sockets inside."""
    root = Path(tempfile.mkdtemp(prefix="w-"))
    with small_disk(root / "d") as disk:
        yield disk
    (root / "d").rmdir()
    root.rmdir()


def test_a_stack_lives_through_a_full_disk(near_disk: SmallDisk, tmp_path: Path) -> None:
    """Its job goes on and ends, commands and clients are told, nothing acknowledged is lost, and nothing is left."""
    disk = near_disk
    user = User(disk.path / "h", tmp_path / "w")
    user.folder.mkdir()
    user.home.mkdir(mode=0o700)
    (user.home / "ports.json").write_text(json.dumps({"server": free_port()}))
    try:
        user.write(STACK)
        user.weyr("up", "--yes", "--detach")
        until(lambda: (user.folder / "begun").exists(), "the job to run")
        user.until_phase("bucket/lake", "ready")
        s3 = user.s3()
        s3.put_object(Bucket="small-lake", Key="kept", Body=b"kept")

        disk.leave(pages=0)
        refused = ""
        try:
            s3.put_object(Bucket="small-lake", Key="new", Body=b"x" * 100_000)
        except ClientError as e:
            refused = e.response["Error"]["Code"]
        assert refused == "ServiceUnavailable"
        user.write(STACK + "  more:\n    run: echo more\n")
        said = user.weyr("up", "--yes", "--detach", status=None)
        assert said.status == 0 or "room" in said.text or "full" in said.text or "space" in said.text, said.text
        (user.folder / "go").touch()
        until(lambda: user.api("GET", "/healthz")["ok"], "the server to be there")

        disk.leave()
        user.weyr("up", "--yes")
        assert user.until_phase("job/work", "done")["outputs"]["attempts"] == 1
        user.until_phase("job/more", "done")
        assert (user.folder / "begun").read_text() == "begun\n"
        assert s3.get_object(Bucket="small-lake", Key="kept")["Body"].read() == b"kept"
        user.weyr("down", "--yes")
        until(lambda: not user.remains(), f"nothing to be left of {user.remains()}")
    finally:
        disk.leave()
        user.end_everything()
