"""Back the data folder up while it works, lose it, and go on from the backup in another folder."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from mlflow import MlflowClient
from one_user import PAUSE, User, until

COUNT = """\
printf %s "$KEY" | sha256sum >>keys
count=0
for saved in "$WEYR_CHECKPOINT_DIR"/*; do
    [ -e "$saved" ] && count=$(cat "$saved") && echo "resumed at $count"
done
while [ ! -e finish ]; do
    count=$((count + 1))
    echo "$count" >"$WEYR_CHECKPOINT_DIR/.count.tmp"
    mv "$WEYR_CHECKPOINT_DIR/.count.tmp" "$WEYR_CHECKPOINT_DIR/count"
    sleep 0.2
done
"""
STACK = """\
stack: kept
buckets:
  lake: {}
secrets:
  key: {generate: 24}
jobs:
  count:
    run: sh count.sh
    secrets: {KEY: secret/key}
    spot: true
    checkpoint: {bucket: lake, every: 200ms}
"""
BUCKET = "kept-lake"


def stand(user: User) -> None:
    """A stack whose job counts and has saved a checkpoint."""
    user.write(COUNT, "count.sh")
    user.write(STACK)
    user.weyr("up", "--yes", "--detach")
    until(lambda: user.row("job/count").get("outputs", {}).get("attempt") == 1, "the job to run")


@contextmanager
def changing(user: User) -> Iterator[list[int]]:
    """Replaces and deletes objects all the while; gives how many changes were acknowledged."""
    s3, done, is_over = user.s3(), [0], threading.Event()

    def change() -> None:
        turn = 0
        while not is_over.is_set():
            turn += 1
            try:
                s3.put_object(Bucket=BUCKET, Key=f"moving/{turn % 5}", Body=os.urandom(100_000))
                if turn % 3 == 0:
                    s3.delete_object(Bucket=BUCKET, Key=f"moving/{turn % 5}")
            except (BotoCoreError, ClientError):
                return  # the folder was destroyed: that is what the test is about
            done[0] += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        until(lambda: done[0] > 5, "the first changes")
        yield done
    finally:
        is_over.set()
        thread.join()


def lose(user: User) -> None:
    """The machine is gone: every process, and the folder."""
    user.end_everything()
    shutil.rmtree(user.home)


def test_a_folder_that_was_lost_goes_on_from_its_backup(user: User, tmp_path: Path) -> None:
    """What was acknowledged before the backup began is there, what ran counts as lost, and the job goes on."""
    stand(user)
    until(lambda: user.row("job/count")["outputs"].get("saved"), "a checkpoint in the bucket")
    s3 = user.s3()
    contents = {f"kept/{n}": os.urandom(size) for n, size in enumerate((0, 10, 5_000, 80_000, 3_000_000))}
    for key, content in contents.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    contents["kept/sealed"] = os.urandom(100_000)
    s3.put_object(Bucket=BUCKET, Key="kept/sealed", Body=contents["kept/sealed"], ServerSideEncryption="AES256")
    run_id = learned(user)
    spent = user.rows("SELECT meter, number, micros FROM journal")

    with changing(user) as changes:
        before = changes[0]
        made = json.loads(user.weyr("backup", str(tmp_path / "b.tar.gz"), "--json").out)
        assert changes[0] > before, "the store served on while it was copied"
    s3.put_object(Bucket=BUCKET, Key="later", Body=b"after the backup")
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    lose(user)
    user.home = user.home.with_name("other")
    restored = json.loads(user.weyr("restore", made["file"], "--json").out)

    assert restored["lost"] == ["kept:job/count#1"]
    assert restored["keeps_ports"], "nobody took the addresses meanwhile"
    assert set(spent) <= set(user.rows("SELECT meter, number, micros FROM journal")), "no line is gone"
    user.weyr("up", "--yes", "--detach")
    until(lambda: "resumed at" in user.weyr("logs", "job/count", status=None).out, "the job to go on")
    there = {entry["Key"] for entry in user.s3().list_objects_v2(Bucket=BUCKET, Prefix="kept/")["Contents"]}
    assert there == contents.keys()
    assert {key: user.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in contents} == contents
    moving = user.s3().list_objects_v2(Bucket=BUCKET, Prefix="moving/").get("Contents", [])
    assert all(len(user.s3().get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()) == 100_000 for entry in moving)
    assert [point.value for point in tracking(user).get_metric_history(run_id, "loss")] == [0.5, 0.25]
    first, second = (user.folder / "keys").read_text().splitlines()
    assert first == second != hashlib.sha256(b"").hexdigest(), "the generated secret opens in the new folder"
    judge_bill(user, made["made_at"])
    (user.folder / "finish").touch()
    user.weyr("up", "--yes")
    assert user.row("job/count")["outputs"]["attempts"] == 2


def judge_bill(user: User, made_at: float) -> None:
    """The attempt that was left behind costs what it ran until the backup; the story says so."""
    metered = user.rows("SELECT sum(to_ms - from_ms) FROM journal WHERE kind = 'job' AND part = '1'")
    ((started,),) = user.rows("SELECT DISTINCT run_since_ms FROM meters WHERE kind = 'job' AND part = '1'")
    assert metered[0][0] == pytest.approx(made_at * 1000 - started, abs=2)
    assert user.events("home.restored")
    assert [event["ref"] for event in user.events("task.left_behind")] == ["job/count"]

    def ended() -> list[int | None]:
        return [at for (at,) in user.rows("SELECT closed_ms FROM meters WHERE sku LIKE 'storage.%' ORDER BY id")]

    assert ended()[0] == pytest.approx(made_at * 1000, abs=1), "stored bytes are billed until the backup"
    until(lambda: ended()[-1] is None, "them to be billed from the restore on")


def tracking(user: User) -> MlflowClient:
    os.environ["MLFLOW_TRACKING_TOKEN"] = user.token
    return MlflowClient(user.url())


def learned(user: User) -> str:
    """A run that an unmodified client made."""
    client = tracking(user)
    experiment = client.create_experiment("by-hand")
    run = client.create_run(experiment)
    for step, loss in enumerate((0.5, 0.25)):
        client.log_metric(run.info.run_id, "loss", loss, step=step)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def test_a_backup_or_restore_that_is_killed_leaves_nothing_half(user: User, tmp_path: Path) -> None:
    """kill -9 amid either: there is no file, no folder, and the next try works."""
    user.weyr("server", "start")
    s3 = user.s3()
    s3.create_bucket(Bucket="big")
    contents = {str(n): os.urandom(8_000_000) for n in range(6)}
    for key, content in contents.items():
        s3.put_object(Bucket="big", Key=key, Body=content)
    file, part = tmp_path / "b.tar.gz", tmp_path / ".b.tar.gz.part"

    killed_amid(user, ["backup", str(file)], lambda: part.exists() and part.stat().st_size > 1_000_000, file)
    assert not file.exists()
    user.weyr("backup", str(file))
    assert not part.exists()
    assert not (user.home / "run" / "backup").exists()
    home = user.home
    user.home, place = home.with_name("other"), home.with_name(".other.restoring")

    def is_unpacking() -> bool:
        with suppress(FileNotFoundError):  # it was done between two looks
            return sum(path.stat().st_size for path in place.rglob("0*") if path.is_file()) > 1_000_000
        return False

    killed_amid(user, ["restore", str(file)], is_unpacking, user.home)
    assert not user.home.exists()
    user.weyr("restore", str(file))
    assert not place.exists()
    (user.home / "ports.json").unlink(missing_ok=True)
    user.weyr("server", "start", "--port", "0")
    assert {key: user.s3().get_object(Bucket="big", Key=key)["Body"].read() for key in contents} == contents
    user.weyr("server", "stop")
    user.home = home
    assert user.s3().get_object(Bucket="big", Key="0")["Body"].read() == contents["0"], "the old folder is as it was"


def killed_amid(user: User, words: list[str], is_amid: Callable[[], bool], makes: Path) -> None:
    """kill -9 amid a command's work. One that was done before anybody saw it at work is undone, and typed again."""
    command = [sys.executable, "-m", "weyr.cli.main", *words]
    for _ in range(6):
        with subprocess.Popen(command, env=user.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            is_caught = _is_caught(child, is_amid)
            child.send_signal(signal.SIGKILL if is_caught else signal.SIGCONT)
        if is_caught:
            return
        assert child.returncode == 0, f"{words[0]} failed"
        shutil.rmtree(makes) if makes.is_dir() else makes.unlink()
    raise AssertionError(f"{words[0]} was always done before it could be killed")


def _is_caught(child: "subprocess.Popen[bytes]", is_amid: Callable[[], bool]) -> bool:
    """Stops it amid its work, so that what it is at now it is at when it is killed."""
    until(lambda: is_amid() or child.poll() is not None, "the command to be amid its work")
    child.send_signal(signal.SIGSTOP)
    return is_amid()


def test_backups_in_a_folder_are_rotated(user: User, tmp_path: Path) -> None:
    """`--keep 2` leaves the two newest, and nothing that is not a backup is touched."""
    user.weyr("server", "start")
    (tmp_path / "mine.tar.gz").touch()
    (tmp_path / "weyr-20200101T000000Z.tar.gz").touch()
    for _ in range(2):
        until(lambda: user.weyr("backup", str(tmp_path), "--keep", "2", status=None).status == 0, "another second")
        PAUSE.wait(0.5)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3, names
    assert "mine.tar.gz" in names
    assert "weyr-20200101T000000Z.tar.gz" not in names
    with tarfile.open(tmp_path / names[1]) as tar:
        assert {"weyr-backup.json", "store.db", "keys/master", "admin.token", "SHA256SUMS"} <= set(tar.getnames())
