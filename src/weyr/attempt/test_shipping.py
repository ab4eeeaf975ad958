"""What of a folder goes with a task, and that it stays what it was."""

import os
from pathlib import Path

import pytest

from weyr.attempt.shipped_files import CannotShip, entries_of
from weyr.attempt.shipping import Snapshots
from weyr.core.ref import Ref, ThingId

REF = Ref("digits", "job", "train")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text("one")
    (folder / "lib/model.py").write_text("model")
    return folder


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "store", settle_ns=-1)


def shipped(folder: Path) -> list[str]:
    return [entry.path for entry in entries_of(str(folder))]


def test_a_copy_is_what_the_folder_was(code: Path, snapshots: Snapshots, tmp_path: Path) -> None:
    """Programs stay executable, links stay links, and folders that hold nothing are there."""
    (code / "train.py").chmod(0o750)
    (code / "latest").symlink_to("lib/model.py")
    (code / "empty").mkdir()
    (code / "sealed").mkdir()
    (code / "sealed/data").write_text("d")
    (code / "sealed").chmod(0o555)
    snapshots.lay_out(snapshots.take(str(code)), tmp_path / "copy")
    assert shipped(tmp_path / "copy") == shipped(code)
    assert (tmp_path / "copy/train.py").stat().st_mode & 0o777 == 0o750
    assert os.readlink(tmp_path / "copy/latest") == "lib/model.py"
    assert (tmp_path / "copy/sealed/data").read_text() == "d"


def test_the_name_of_a_snapshot_is_its_content(code: Path, snapshots: Snapshots, tmp_path: Path) -> None:
    """The same files are kept once, whichever folder they lie in; another mode is another snapshot."""
    before = snapshots.take(str(code))
    os.rename(code, tmp_path / "moved")
    assert snapshots.take(str(tmp_path / "moved")) == before
    (tmp_path / "moved/train.py").chmod(0o755)
    assert snapshots.take(str(tmp_path / "moved")) != before


def test_unchanged_files_are_not_read_again(code: Path, snapshots: Snapshots, tmp_path: Path) -> None:
    """A folder of a gigabyte must not cost its reading at each version, after a restart of the server either."""
    snapshots.take(str(code))
    assert snapshots.read_files == 2
    again = Snapshots(tmp_path / "store", settle_ns=-1)
    (code / "train.py").write_text("two")
    again.take(str(code))
    assert again.read_files == 1


def test_a_file_that_changed_just_now_is_read_again(code: Path, tmp_path: Path) -> None:
    """An edit of the same length within one tick of the clock looks like no edit."""
    snapshots = Snapshots(tmp_path / "store", settle_ns=10**12)
    snapshots.take(str(code))
    snapshots.take(str(code))
    assert snapshots.read_files == 4


def test_who_writes_into_a_copy_changes_no_other(code: Path, snapshots: Snapshots, tmp_path: Path) -> None:
    """Hard links would let one task change the files of all others."""
    digest = snapshots.take(str(code))
    snapshots.lay_out(digest, tmp_path / "a")
    with open(tmp_path / "a/train.py", "r+") as file:
        file.write("two")
    snapshots.lay_out(digest, tmp_path / "b")
    assert ((tmp_path / "b/train.py").read_text(), (code / "train.py").read_text()) == ("one", "one")


def test_a_damaged_copy_is_never_run(code: Path, snapshots: Snapshots, tmp_path: Path) -> None:
    """A disk's fault must not become a program that nobody wrote; what is whole in the folder mends it."""
    digest = snapshots.take(str(code))
    (blob,) = [path for path in (tmp_path / "store/blobs").glob("*/*") if path.read_text() == "one"]
    blob.write_text("eno")
    with pytest.raises(CannotShip, match=r"the copy of train\.py is damaged"):
        snapshots.lay_out(digest, tmp_path / "a")
    blob.write_text("")  # as a power cut may leave it, beside half of what was known of it
    (seen,) = (tmp_path / "store/seen").iterdir()
    for text in (seen.read_text(), '{"train.py": [3,'):
        seen.write_text(text)
        assert snapshots.take(str(code)) == digest
    snapshots.lay_out(digest, tmp_path / "b")


def test_a_generation_keeps_its_files_and_the_next_gets_new_ones(
    code: Path, snapshots: Snapshots, tmp_path: Path
) -> None:
    """A retry must compute what the first attempt did; who applies a change wants it to run. Also after a restart."""
    folder = str(code)
    first = snapshots.of_version(ThingId(REF, "1"), 1, folder, ())
    (code / "train.py").write_text("two")
    again = Snapshots(tmp_path / "store")
    assert again.of_version(ThingId(REF, "2"), 1, folder, ()) == first
    second = again.of_version(ThingId(REF, "3"), 2, folder, ())
    assert second != first
    (code / "train.py").write_text("three")
    assert again.of_version(ThingId(REF, "4"), 2, folder, ()) == second
    assert again.of_version(ThingId(REF, "2"), 1, folder, ()) == first


def test_an_object_that_is_made_anew_gets_its_files_anew(code: Path, snapshots: Snapshots) -> None:
    """`weyr down` and `weyr up` count generations and attempts from one again; the code is today's."""
    first = snapshots.of_version(ThingId(REF, "1"), 1, str(code), ())
    snapshots.of_version(ThingId(REF, "2"), 2, str(code), ())
    (code / "train.py").write_text("two")
    anew = snapshots.of_version(ThingId(REF, "1"), 1, str(code), ())
    assert anew != first
    assert snapshots.of_version(ThingId(REF, "2"), 1, str(code), ()) == anew


def test_the_longest_unused_go_first_and_none_that_is_in_use(code: Path, tmp_path: Path) -> None:
    """A disk must not fill with old code. What was cleared away is said to be gone, never taken anew unseen."""
    snapshots = Snapshots(tmp_path / "store", kept_max=1)
    digests = []
    for number, name in enumerate(("used", "idle", "last")):
        (code / "train.py").write_text(name)
        digests.append(
            snapshots.of_version(ThingId(Ref("s", "job", name), "1"), 1, str(code), [Ref("s", "job", "used")])
        )
        os.utime(tmp_path / f"store/snapshots/{digests[-1]}.json", (number, number))
    snapshots.lay_out(digests[0], tmp_path / "a")
    snapshots.lay_out(digests[2], tmp_path / "c")
    idle = snapshots.of_version(ThingId(Ref("s", "job", "idle"), "2"), 1, str(code), ())
    assert idle == digests[1]
    with pytest.raises(CannotShip, match="was cleared away"):
        snapshots.lay_out(idle, tmp_path / "b")
    assert len([*(tmp_path / "store/blobs").glob("*/*")]) == 3  # the model, and two programs


def test_what_is_ignored_stays_behind(code: Path) -> None:
    """Environments and data would make a copy slow. `.weyrignore` counts alone, where it is there."""
    for path in (".git/HEAD", ".venv/bin/python", "lib/__pycache__/m.pyc", "data/big", "out.log", "lib/keep.log"):
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).write_text("x")
    (code / ".gitignore").write_text("/data/\n*.log\n!keep.log\n")
    assert shipped(code) == [".gitignore", "lib", "lib/keep.log", "lib/model.py", "train.py"]
    (code / ".weyrignore").write_text("lib\n")
    assert shipped(code) == [".gitignore", ".weyrignore", "data", "data/big", "out.log", "train.py"]


@pytest.mark.parametrize("target", ["../secret", "{code}/train.py", "lib/../../secret"])
def test_a_link_that_leads_out_of_the_folder_is_refused(code: Path, target: str) -> None:
    """In a copy it would lead to something else, or back to the files that the copy keeps from the task."""
    (code.parent / "secret").write_text("s")
    (code / "link").symlink_to(target.format(code=code))
    with pytest.raises(CannotShip, match="the link link leads to"):
        entries_of(str(code))


def test_our_own_data_stays_behind(code: Path, tmp_path: Path) -> None:
    """A data folder beside the code holds everybody's tokens, and a snapshot of snapshots would grow without end."""
    snapshots = Snapshots(code / "data/tasks/.shipped", [code / "data"])
    (code / "data").mkdir()
    (code / "data/token").write_text("secret")
    snapshots.take(str(code))
    snapshots.lay_out(snapshots.take(str(code)), tmp_path / "copy")
    assert shipped(tmp_path / "copy") == ["lib", "lib/model.py", "train.py"]


def test_a_pipe_stays_behind(code: Path) -> None:
    """Reading one would never end."""
    os.mkfifo(code / "pipe")
    assert "pipe" not in shipped(code)


def test_too_large_a_folder_is_refused_with_what_is_large(code: Path) -> None:
    """Who forgot that their data lies beside the code is told what to name, and where."""
    with open(code / "data.bin", "wb") as file:
        file.truncate(3 << 20)  # no block of it is on the disk
    with pytest.raises(CannotShip, match=r"at most 2\.0 MiB.* data\.bin \(3\.0 MiB .*\.weyrignore"):
        entries_of(str(code), bytes_max=2 << 20)
    with pytest.raises(CannotShip, match=r"4 entries, and at most .* 3 are shipped; the largest are lib"):
        entries_of(str(code), files_max=3)
