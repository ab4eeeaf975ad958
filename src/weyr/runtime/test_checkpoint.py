"""Is a checkpoint whole or not there? The store by itself, and the library as a program uses it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from weyr.runtime import checkpoint, pace
from weyr.runtime.checkpoint_agent import GAPS_MAX, Agent, Cadence, Entry, newest
from weyr.runtime.checkpoint_store import CHUNK_BYTES, CheckpointStore, NotWhole


def entry(folder: Path, name: str, text: str = "weights") -> Path:
    new = folder / f"{name}.tmp"
    new.mkdir(parents=True)
    (new / "model.bin").write_text(text)
    return new.rename(folder / name)


def test_what_is_restored_is_what_was_saved(tmp_path: Path) -> None:
    """A folder comes back with its files; a single file as a file."""
    store = CheckpointStore(MemoryStore(), "checkpoints/train")
    store.save(entry(tmp_path / "a", "epoch-1"), 1)
    (tmp_path / "a" / "state.pt").write_bytes(b"\0" * 1000)
    store.save(tmp_path / "a" / "state.pt", 2)
    (tmp_path / "b").mkdir()
    assert (store.restore(store.manifest(1), tmp_path / "b") / "model.bin").read_text() == "weights"
    assert store.restore(store.manifest(2), tmp_path / "b").read_bytes() == b"\0" * 1000
    assert sorted(os.listdir(tmp_path / "b")) == ["epoch-1", "state.pt"]


def test_a_checkpoint_without_all_its_files_is_none(tmp_path: Path) -> None:
    """A file that a lifecycle rule took, or that never came, makes the rest worthless."""
    memory = MemoryStore()
    store = CheckpointStore(memory, "p")
    store.save(entry(tmp_path / "a", "epoch-1"), 1)
    obstore.delete(memory, "p/00000001/files/model.bin")
    (tmp_path / "b").mkdir()
    with pytest.raises(NotWhole):
        store.restore(store.manifest(1), tmp_path / "b")
    assert os.listdir(tmp_path / "b") == []


SECOND = 1_000_000_000
WRITTEN = {
    "one alone tells nothing": ([10], None),
    "two tell how long it is between them": ([10, 12], (10.0, 2.0)),
    "the usual gap counts, and not a pause": ([10, 12, 14, 60, 62], (10.0, 2.0)),
    "what lay there before this attempt is none of it": ([-50, 10, 12], (10.0, 2.0)),
    "several entries at once are one checkpoint": ([10, 10.1, 12, 12.1], (10.0, 1.9)),
    "the same one seen again is no other": ([10, 10, 12, 12], (10.0, 2.0)),
}


@pytest.mark.parametrize(("moments", "told"), WRITTEN.values(), ids=WRITTEN)
def test_how_often_a_task_saves_is_told_by_its_checkpoints(
    moments: list[float], told: tuple[float, float] | None
) -> None:
    """From that follows how long its program needed before its first step: what each interruption costs again."""
    cadence, news = Cadence(began_ns=1), dict[str, float]()
    for moment in moments:
        cadence.see(Entry(Path("x"), round(moment * SECOND)))
        news = cadence.news() or news
    assert (news or None) == (told and {"first_at": told[0], "each_s": told[1]})


def test_how_often_a_task_saves_is_told_seldom() -> None:
    """A task that saves every second for a week says so a few times: each line is a write of its state."""
    cadence = Cadence(began_ns=1)
    told = 0
    for moment in range(1, 5000):
        cadence.see(Entry(Path("x"), moment * SECOND))
        told += bool(cadence.news())
    assert told == 7
    assert len(cadence.gaps_ns) == GAPS_MAX


def test_the_agent_falls_back_to_one_that_is_whole(tmp_path: Path) -> None:
    """And numbers go on after the broken one, so that nothing is written over."""
    memory = MemoryStore()
    store = CheckpointStore(memory, "p")
    store.save(entry(tmp_path / "a", "epoch-1", "old"), 1)
    store.save(entry(tmp_path / "a", "epoch-2", "new"), 2)
    obstore.put(memory, "p/00000002/files/model.bin", b"damaged")
    said: list[str] = []
    (tmp_path / "b").mkdir()
    agent = Agent(tmp_path / "b", store, said.append)
    manifest = agent.restore()
    assert manifest is not None
    assert manifest.name == "epoch-1#1"
    entry(tmp_path / "b", "epoch-3")
    assert agent.save()
    assert said[-1] == '{"event": "saved", "name": "epoch-3#3"}'


def test_what_was_restored_is_not_saved_again(tmp_path: Path) -> None:
    """A task that was only interrupted costs no upload."""
    store = CheckpointStore(MemoryStore(), "p")
    store.save(entry(tmp_path / "a", "epoch-1"), 1)
    (tmp_path / "b").mkdir()
    agent = Agent(tmp_path / "b", store, lambda _: None)
    agent.restore()
    assert agent.save()
    assert store.numbers() == [1]


@pytest.mark.parametrize("size", [10, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_an_unchanged_file_is_not_uploaded_again(tmp_path: Path, size: int) -> None:
    """A tokenizer beside the weights costs its upload once; and what changed at its very end does go up.

    A store in a folder copies by a hard link: what it has once on the disk was uploaded once.
    """
    store = CheckpointStore(LocalStore(tmp_path / "lake", mkdir=True), "p")
    texts = ["w" * size, "w" * size, "w" * (size - 1) + "x"]
    for number, text in enumerate(texts, 1):
        store.save(entry(tmp_path / "a", f"epoch-{number}", text), number)
    first, same, other = (
        (tmp_path / f"lake/p/{number:08d}/files/model.bin").stat().st_ino for number in store.numbers()
    )
    assert first == same
    assert first != other
    (tmp_path / "b").mkdir()
    for number, text in enumerate(texts, 1):
        assert (store.restore(store.manifest(number), tmp_path / "b") / "model.bin").read_text() == text


def test_an_unchanged_file_that_the_store_lost_is_uploaded_again(tmp_path: Path) -> None:
    """A lifecycle rule counts from the upload: a checkpoint must never rest on what an older one brought."""
    memory = MemoryStore()
    store = CheckpointStore(memory, "p")
    store.save(entry(tmp_path / "a", "epoch-1"), 1)
    obstore.delete(memory, "p/00000001/files/model.bin")
    store.save(entry(tmp_path / "a", "epoch-2"), 2)
    (tmp_path / "b").mkdir()
    assert (store.restore(store.manifest(2), tmp_path / "b") / "model.bin").read_text() == "weights"


def test_unfinished_entries_are_left_alone(tmp_path: Path) -> None:
    """Only a rename completes an entry."""
    for name in (".hidden", "epoch-9.tmp"):
        (tmp_path / name).mkdir()
    assert newest(tmp_path) is None
    entry(tmp_path, "epoch-1")
    found = newest(tmp_path)
    assert found is not None
    assert found.path.name == "epoch-1"


def test_leftovers_of_uploads_are_removed(tmp_path: Path) -> None:
    """A crash in the middle of an upload does not cost storage for ever."""
    memory = MemoryStore()
    store = CheckpointStore(memory, "p", keep=1)
    obstore.put(memory, "p/00000001/files/model.bin", b"half")
    store.save(entry(tmp_path, "epoch-2"), 2)
    obstore.put(memory, "p/00000003/files/model.bin", b"being uploaded")
    store.trim(store.numbers())
    assert store.numbers() == [2, 3]


def test_a_saved_block_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails inside the block leaves nothing that looks like a checkpoint."""
    monkeypatch.setenv(checkpoint.FOLDER, str(tmp_path))

    def fail() -> None:
        with checkpoint.saving("epoch-1") as folder:
            (folder / "half").write_text(str(1 // 0))

    with pytest.raises(ZeroDivisionError):
        fail()
    assert checkpoint.latest() is None
    for name in ("epoch-1", "epoch-2", "epoch-3", "epoch-3"):
        with checkpoint.saving(name) as folder:
            (folder / "model.bin").write_text(name)
    assert checkpoint.latest() == tmp_path / "epoch-3"
    assert sorted(os.listdir(tmp_path)) == ["epoch-2", "epoch-3"], "older ones need no room here"
    with pytest.raises(ValueError), checkpoint.saving("a/b"):
        pass


def test_outside_weyr_a_script_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no checkpoints, no error."""
    monkeypatch.delenv(checkpoint.FOLDER, raising=False)
    assert checkpoint.latest() is None
    assert not checkpoint.is_due()
    with checkpoint.saving("epoch-1") as folder:
        assert folder.is_dir()
    assert not folder.exists()


PROGRAM = """
import signal
from weyr.runtime import checkpoint, pace
assert not checkpoint.should_stop()
print("ready", flush=True)
while not checkpoint.is_due():
    signal.sigtimedwait([], 0.01)
with checkpoint.saving("last") as folder:
    (folder / "done").write_text("yes")
"""


def test_sigterm_makes_a_save_due(tmp_path: Path) -> None:
    """The signal does not end the program: it tells it to save."""
    env = os.environ | {checkpoint.FOLDER: str(tmp_path), checkpoint.EVERY_S: "1000"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (tmp_path / "last" / "done").read_text() == "yes"


def test_replicas_that_save_at_once_never_write_into_one_checkpoint(tmp_path: Path) -> None:
    """Each of a gang has an agent of its own over one prefix; whichever saves, all begin from the newest."""
    bucket, agents = MemoryStore(), []
    for rank in range(2):
        folder = tmp_path / f"replica-{rank}"
        folder.mkdir()
        store = CheckpointStore(bucket, "p", keep=9)
        agents.append(Agent(folder, store, lambda _line: None, rank, 2))
        agents[-1].restore()
    for turn in range(3):
        for rank, agent in enumerate(agents):
            (tmp_path / f"replica-{rank}" / f"epoch-{turn}").write_text(f"{turn} of {rank}")
            assert agent.save()
    store = CheckpointStore(bucket, "p")

    assert len(store.numbers()) == 6
    assert store.manifest(max(store.numbers())).entry == "epoch-2"


def test_a_new_checkpoint_is_saved_at_once_and_from_behind(tmp_path: Path) -> None:
    """An interruption costs what was done since the checkpoint, not since the last look; and the task goes first."""
    words = ["--folder", str(tmp_path), "--bucket", f"file://{tmp_path}/../lake", "--prefix", "p", "--every", "3600"]
    argv = [sys.executable, "-m", "weyr.runtime.checkpoint_agent", "watch", "--restore-first", *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        assert "restored" in agent.stdout.readline()
        entry(tmp_path, "epoch-1")
        assert "epoch-1#1" in agent.stdout.readline(), "the first need not wait for an hour to pass"
        threads = [int(name) for name in os.listdir(f"/proc/{agent.pid}/task")]
        assert min(os.getpriority(os.PRIO_PROCESS, thread) for thread in threads) >= pace.BACK
        entry(tmp_path, "epoch-2")
        agent.stdin.write("hurry\n")
        agent.stdin.flush()
        assert "epoch-2#2" in agent.stdout.readline(), "nor does the next, once the task is told to end"
        agent.stdin.close()
        assert agent.wait(10) == 0
