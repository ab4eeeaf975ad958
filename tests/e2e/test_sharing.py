"""One GPU box, shared: what its guide says, on slices of this machine with declared devices."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from one_user import User, until
from user_life import a_user

BOX = """\
stack: box
pools:
  gpu: {cpu: 0.5, memory: 256MiB, accelerators: {H100: 4}, price: 12 USD, max: 2, idle_after: 2s, cool_down: 100ms}
queues:
  research: {quota: {H100: 3}}
"""
JOB = "{{run: '{run}', queue: box:queue/research, pool: box:pool/gpu, resources: {{cpu: 0.1, accelerators: {count}}}}}"


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with a_user() as user:
        user.up(BOX)
        yield user


def hold(name: str) -> str:
    """A program that says what it sees, and ends once a file is there."""
    return f'echo "sees $CUDA_VISIBLE_DEVICES"; until [ -e {name}.end ]; do sleep 0.05; done'


def test_a_job_of_another_stack_gets_its_devices_and_the_next_one_waits(user: User) -> None:
    """The pool grows for the first, the queue's quota holds back the second, and `weyr why` says so."""
    jobs = {"one": JOB.format(run=hold("one"), count='"H100:2"'), "two": JOB.format(run=hold("two"), count=2)}
    user.write("stack: ann\njobs:\n" + "".join(f"  {name}: {job}\n" for name, job in jobs.items()), "ann.yaml")
    user.weyr("up", "ann.yaml", "--yes", "--detach")
    first = until(lambda: next((n for n in jobs if user.row(f"job/{n}", "ann")["phase"] == "working"), ""), "one runs")
    second = next(name for name in jobs if name != first)
    until(lambda: "sees 0,1" in user.weyr("logs", f"ann:job/{first}", status=None).out, "it sees its devices")

    def why() -> dict[str, Any]:
        return dict(json.loads(user.weyr("why", f"ann:job/{second}", "--json").out))

    until(lambda: "has no more" in why()["sentence"], "what the other waits for to be told")
    assert why()["waits"][0]["tasks"] == [f"ann:job/{second}#1"]
    assert "box:pool/gpu#n1" in [thing["id"] for thing in user.row("pool/gpu", "box")["things"]]
    (user.folder / f"{first}.end").touch()
    until(lambda: user.row(f"job/{second}", "ann")["phase"] == "working", "the other has its turn")
    (user.folder / f"{second}.end").touch()
    until(lambda: user.row(f"job/{second}", "ann")["phase"] == "done", "it ends")
    until(lambda: len(user.row("pool/gpu", "box")["things"]) == 1, "the node goes when nothing runs")


def test_a_reclaimed_slice_takes_its_tasks_with_it(user: User) -> None:
    """They have notice, and begin again on a slice that comes for them."""
    user.write(f"stack: eve\njobs:\n  long: {JOB.format(run=hold('long'), count=1)}\n", "eve.yaml")
    user.weyr("up", "eve.yaml", "--yes", "--detach")
    until(lambda: user.row("job/long", "eve")["phase"] == "working", "it runs")
    user.weyr("chaos", "reclaim", "box:pool/gpu", "--notice", "1s")
    until(lambda: any("reclaimed" in e["message"] for e in user.events("attempt.ended")), "its attempt ends")
    until(lambda: user.row("job/long", "eve")["outputs"].get("attempt") == 2, "it runs again")
    (user.folder / "long.end").touch()
    until(lambda: user.row("job/long", "eve")["phase"] == "done", "it ends")


def counted(name: str) -> str:
    """As `hold`, and each time that it begins a line is added to a file."""
    return f"echo up >> {name}.starts; until [ -e {name}.end ]; do sleep 0.05; done"


def test_of_a_node_out_of_reach_nothing_is_known_and_nothing_is_begun_twice(user: User) -> None:
    """What cannot be reached has not failed: it ran on, ended meanwhile, and nothing of it is lost."""
    user.write(f"stack: cut\njobs:\n  far: {JOB.format(run=counted('far'), count=1)}\n", "cut.yaml")
    user.weyr("up", "cut.yaml", "--yes", "--detach")
    until(lambda: (user.folder / "far.starts").exists(), "it runs")
    until(lambda: user.row("job/far", "cut")["phase"] == "working", "and is seen to")
    # The busiest node, where the pool has another that is about to go.
    said = user.weyr("chaos", "partition", "box:pool/gpu", "--for", "10s")
    assert "box:pool/gpu#n" in said.text
    until(lambda: "cannot be reached" in json.dumps(user.row("job/far", "cut")), "nobody knows how it is")
    (user.folder / "far.end").touch()
    until(lambda: user.row("job/far", "cut")["phase"] == "done", "it is found to have ended")
    assert (user.folder / "far.starts").read_text() == "up\n"


def test_a_lost_node_takes_its_tasks_without_a_word_and_they_begin_again(user: User) -> None:
    """A machine that is gone says nothing: its tasks are lost with their node, and that is no failure of theirs."""
    user.write(f"stack: gone\njobs:\n  near: {JOB.format(run=counted('near'), count=1)}\n", "gone.yaml")
    user.weyr("up", "gone.yaml", "--yes", "--detach")
    until(lambda: (user.folder / "near.starts").exists(), "it runs")
    until(lambda: user.row("job/near", "gone")["phase"] == "working", "and is seen to")
    user.weyr("chaos", "slow", "box:pool/gpu", "--for", "1s", "--share", "50%")
    user.weyr("chaos", "kill", "box:pool/gpu")
    until(lambda: user.row("job/near", "gone")["outputs"].get("attempt") == 2, "it runs again")
    ends = [each["message"] for each in user.events("attempt.ended") if each["stack"] == "gone"]
    assert len(ends) == 1
    assert "node" in ends[0]
    (user.folder / "near.end").touch()
    until(lambda: user.row("job/near", "gone")["phase"] == "done", "it ends")
    assert (user.folder / "near.starts").read_text() == "up\n" * 2
    assert "no node 'n0'" in user.weyr("chaos", "kill", "box:pool/gpu", "--node", "n0", status=None).err


def test_racing_submissions_do_not_pass_a_quota(user: User) -> None:
    """Six stacks at once want one device each, and the queue has three."""
    names = [f"race{number}" for number in range(6)]

    def submit(name: str) -> None:
        user.write(f"stack: {name}\njobs:\n  j: {JOB.format(run=hold('race'), count=1)}\n", f"{name}.yaml")
        user.weyr("up", f"{name}.yaml", "--yes", "--detach")

    threads = [threading.Thread(target=submit, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: sum(user.row("job/j", name)["phase"] == "working" for name in names) == 3, "three run")
    until(lambda: sum(user.row("job/j", name)["phase"] == "waiting" for name in names) == 3, "three wait")
    (user.folder / "race.end").touch()
    until(lambda: all(user.row("job/j", name)["phase"] == "done" for name in names), "all end")
