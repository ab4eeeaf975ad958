"""Replication and what can befall it: either side killed, a target away, full or closed to us, bytes that rot here."""

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from loopback import free_port
from s3_replicas import BACK_KEYS, everything, pair, replicate, shown, until, waiting
from small_disk import small_disk
from test_s3_replication import put_in_parts
from test_s3_serve import USERS, Served, served

MB = 2**20
KEYS = 300


def killed(s3: Served) -> None:
    """kill -9, and nothing of it is left."""
    s3.process.kill()
    s3.process.wait(60)


def objects(client: Any, bucket: str, count: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.put_object(Bucket=bucket, Key=f"k{n:04}", Body=b"%d" % n), range(count)))


def test_nothing_is_missed_while_the_target_is_away_and_the_source_is_killed(tmp_path: Path) -> None:
    """The line is on disk with the changes: the lag grows, is shown, and is nothing again once the target is back."""
    port = free_port()
    target = [f"--replica=back=http://127.0.0.1:{port}"]
    with served(tmp_path / "front", *USERS, *target, **BACK_KEYS) as front:
        client = front.client("ann")
        client.create_bucket(Bucket="lake")
        replicate(client, "lake")
        objects(client, "lake", KEYS)
        until(lambda: shown(tmp_path / "front")[0]["last_error"], "it is shown that the target is away")
        first = shown(tmp_path / "front")[0]
        until(lambda: shown(tmp_path / "front")[0]["lag_s"] > first["lag_s"], "the lag grows")
        assert (first["waiting"], first["waiting_bytes"]) == (KEYS, sum(len(b"%d" % n) for n in range(KEYS)))
        assert client.head_object(Bucket="lake", Key="k0001")["ReplicationStatus"] == "PENDING"
        killed(front)
    with (
        served(tmp_path / "front", *USERS, *target, **BACK_KEYS) as front,
        served(tmp_path / "back", *USERS, f"--port={port}") as back,
    ):
        here, there = front.client("ann"), back.client("ann")
        there.create_bucket(Bucket="lake")
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        assert everything(there, "lake") == everything(here, "lake")
        lag = shown(tmp_path / "front")[0]
        assert (lag["lag_s"], lag["waiting_bytes"], lag["last_error"], lag["sent"]) == (0, 0, "", KEYS)
    # Once for each start: eight transfers that find out at one moment wait as long as one.
    assert (tmp_path / "front.log").read_text().count("s3.replica_away") == 2


@pytest.mark.parametrize("victim", ["source", "target"])
def test_a_transfer_that_is_cut_goes_on_and_leaves_nothing_behind(victim: str, tmp_path: Path) -> None:
    """Killed in the middle of a large object in parts: it arrives whole, once, and no upload stays."""
    port = free_port()
    front_arguments = [*USERS, f"--replica=back=http://127.0.0.1:{port}"]
    with served(tmp_path / "back", *USERS, f"--port={port}") as back:
        back.client("ann").create_bucket(Bucket="lake")
        with served(tmp_path / "front", *front_arguments, **BACK_KEYS) as front:
            client = front.client("ann")
            client.create_bucket(Bucket="lake")
            in_parts(client, "large", 12)
            replicate(client, "lake")
            until(lambda: parts_in(tmp_path / "back"), "some parts arrived")
            killed(front if victim == "source" else back)
            cut_at = parts_in(tmp_path / "back")
    with (
        served(tmp_path / "back", *USERS, f"--port={port}") as back,
        served(tmp_path / "front", *front_arguments, **BACK_KEYS) as front,
    ):
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        here, there = front.client("ann"), back.client("ann")
        assert everything(there, "lake") == everything(here, "lake")
        assert "Uploads" not in there.list_multipart_uploads(Bucket="lake")
        assert cut_at > 0


def test_an_upload_ends_with_its_key(tmp_path: Path) -> None:
    """A large object whose transfer was cut, and that is deleted before it goes on, leaves no upload over there."""
    port = free_port()
    target = f"--replica=back=http://127.0.0.1:{port}"
    with served(tmp_path / "front", *USERS, target, **BACK_KEYS) as front:
        here = front.client("ann")
        with served(tmp_path / "back", *USERS, f"--port={port}") as back:
            for client in (here, back.client("ann")):
                client.create_bucket(Bucket="lake")
            in_parts(here, "large", 30)
            replicate(here, "lake")
            until(lambda: parts_in(tmp_path / "back"), "some parts arrived")
            killed(back)
        here.delete_object(Bucket="lake", Key="large")
        assert parts_in(tmp_path / "back"), "the upload is there, and goes as soon as its server is back"
        with served(tmp_path / "back", *USERS, f"--port={port}") as back:
            there = back.client("ann")
            until(lambda: not waiting(tmp_path / "front", "lake"), "nothing waits")
            assert everything(there, "lake") == {}
            assert "Uploads" not in there.list_multipart_uploads(Bucket="lake")


def test_a_folder_has_whole_files_only_whenever_the_plane_is_killed(tmp_path: Path) -> None:
    """What was arriving is cleared away at the next start, and arrives."""
    folder = tmp_path / "backup"
    folder.mkdir()
    incoming = folder / "lake" / ".weyr" / "incoming"
    named = f"--replica=disk=file://{folder}"
    with served(tmp_path / "data", *USERS, named) as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="lake")
        in_parts(client, "large", 30)
        replicate(client, "lake", "disk")
        until(lambda: incoming.is_dir() and any(path.stat().st_size for path in incoming.iterdir()), "it arrives")
        killed(s3)
    there = (folder / "lake/large").exists()
    assert there or any(incoming.iterdir())
    with served(tmp_path / "data", *USERS, named) as s3:
        until(lambda: not waiting(tmp_path / "data", "lake"), "it is there")
        client = s3.client("ann")
        assert (folder / "lake/large").read_bytes() == client.get_object(Bucket="lake", Key="large")["Body"].read()
        assert not list(incoming.iterdir())


def in_parts(client: Any, key: str, count: int) -> None:
    upload = client.create_multipart_upload(Bucket="lake", Key=key)["UploadId"]
    parts = []
    for number in range(1, count + 1):
        body = bytes([number]) * (5 * MB)
        tag = client.upload_part(Bucket="lake", Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    client.complete_multipart_upload(Bucket="lake", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def parts_in(data: Path) -> int:
    with closing(sqlite3.connect(data / "index.db")) as db:
        return int(db.execute("SELECT (SELECT count(*) FROM parts) + (SELECT count(*) FROM objects)").fetchone()[0])


def test_a_target_that_does_not_let_us_in_is_shown_and_tried_again(tmp_path: Path) -> None:
    port = free_port()
    others = [f"--user=ann:ANNKEY:{'x' * 20}"]
    with served(tmp_path / "front", *USERS, f"--replica=back=http://127.0.0.1:{port}", **BACK_KEYS) as front:
        client = front.client("ann")
        with served(tmp_path / "back", *others, f"--port={port}"):
            client.create_bucket(Bucket="lake")
            replicate(client, "lake")
            client.put_object(Bucket="lake", Key="a", Body=b"x")
            until(lambda: "SignatureDoesNotMatch" in shown(tmp_path / "front")[0]["last_error"], "it is shown")
        with served(tmp_path / "back", *USERS, f"--port={port}") as back:
            until(lambda: "NoSuchBucket" in shown(tmp_path / "front")[0]["last_error"], "now it is the bucket")
            back.client("ann").create_bucket(Bucket="lake")
            until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
            assert back.client("ann").get_object(Bucket="lake", Key="a")["Body"].read() == b"x"


def test_a_full_target_takes_nothing_by_halves(tmp_path: Path) -> None:
    """No piece of what did not fit stays, what was there is what it was, and all goes on once there is room."""
    with small_disk(tmp_path / "small") as disk:
        folder = tmp_path / "small"
        with served(tmp_path / "data", *USERS, f"--replica=disk=file://{folder}") as s3:
            client = s3.client("ann")
            client.create_bucket(Bucket="lake")
            replicate(client, "lake", "disk")
            client.put_object(Bucket="lake", Key="a", Body=b"first")
            until(lambda: not waiting(tmp_path / "data", "lake"), "the first is there")
            disk.leave(pages=4)
            client.put_object(Bucket="lake", Key="a", Body=b"s" * MB)
            until(lambda: "No space left" in shown(tmp_path / "data")[0]["last_error"], "it is shown")
            assert (folder / "lake/a").read_bytes() == b"first"
            disk.leave()
            until(lambda: not waiting(tmp_path / "data", "lake"), "it is there")
            assert (folder / "lake/a").read_bytes() == b"s" * MB
            assert not list((folder / "lake/.weyr/incoming").iterdir())


def test_writers_and_deleters_race_and_both_sides_end_with_the_same(tmp_path: Path) -> None:
    """Whatever order the changes of a key were sent in, what is there at the end is what is here."""
    with pair(tmp_path) as (front, back):
        here, there = front.client("ann"), back.client("ann")
        for client in (here, there):
            client.create_bucket(Bucket="lake")
        replicate(here, "lake")
        threads = [threading.Thread(target=change, args=(front.client("ann"), seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        put_in_parts(here, "lake", "k1")
        here.put_object(Bucket="lake", Key="k2", Body=b"last")
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        assert everything(there, "lake") == everything(here, "lake")


def change(client: Any, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(60):
        key = f"k{chance.randrange(6)}"
        match chance.randrange(5):
            case 0:
                client.delete_object(Bucket="lake", Key=key)
            case 1 if seed == 0:
                put_in_parts(client, "lake", key)
            case _:
                client.put_object(Bucket="lake", Key=key, Body=b"%d" % number * chance.choice([1, 20_000]))


def test_what_rots_here_is_mended_from_there(tmp_path: Path) -> None:
    """A file that turned is answered as it was put, from the replica, and is whole again on this side."""
    with pair(tmp_path) as (front, back):
        here = front.client("ann")
        for client in (here, back.client("ann")):
            client.create_bucket(Bucket="lake")
        replicate(here, "lake")
        bodies = {"one": b"1" * 300_000, "small": b"s" * 100}
        for key, body in bodies.items():
            here.put_object(Bucket="lake", Key=key, Body=body)
        put_in_parts(here, "lake", "parts")
        bodies["parts"] = here.get_object(Bucket="lake", Key="parts")["Body"].read()
        until(lambda: not waiting(tmp_path / "front", "lake"), "all is there")
        files = [path for path in (tmp_path / "front" / "blobs").rglob("*") if path.is_file()]
        assert len(files) == 4
        for path in files:
            with path.open("r+b") as file:
                file.seek(5)
                file.write(b"rot")
        for key, body in bodies.items():
            assert here.get_object(Bucket="lake", Key=key)["Body"].read() == body, key
        assert all(path.read_bytes()[5:8] != b"rot" for path in files)


def test_rot_is_not_spread(tmp_path: Path) -> None:
    """What turned before it was sent is refused here; what the replica has stays what it is."""
    with served(tmp_path / "back", *USERS) as back:
        there = back.client("ann")
        there.create_bucket(Bucket="lake")
        with served(tmp_path / "front", *USERS, f"--replica=back={back.url}", **BACK_KEYS) as front:
            here = front.client("ann")
            here.create_bucket(Bucket="lake")
            here.put_object(Bucket="lake", Key="a", Body=b"1" * 300_000)
            (path,) = (path for path in (tmp_path / "front" / "blobs").rglob("*") if path.is_file())
            path.write_bytes(b"2" * 300_000)
            replicate(here, "lake")
            until(lambda: shown(tmp_path / "front")[0]["failing"], "it is shown")
            assert "damaged" in shown(tmp_path / "front")[0]["last_error"]
            assert everything(there, "lake") == {}
