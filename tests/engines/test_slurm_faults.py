"""What may go wrong between a server and a Slurm cluster, done to a real one."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_cluster import PAUSE, SlurmCluster

from weyr.core.capability import Accelerators, Gang, TaskBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, EndReason, Present, Seen, TaskEnd, TaskFacts, TaskState, Unknown
from weyr.engines.slurm import submission_folder
from weyr.engines.slurm.settings import SlurmSettings
from weyr.engines.slurm.tasks import SlurmTasks
from weyr.sim.identities import SimIssuer, SimSecretValues

WITHIN_S = 90.0
WAITS = TaskBody(("/bin/sh", "-c", "echo on >> $MARK; exec sleep 60"), "/", grace_s=1.0)


def task(part: str, name: str = "train") -> ThingId:
    return ThingId(Ref("digits", "job", name), part)


class Server:
    """A server's task engine on the cluster; `restart` is another one on the same folder."""

    def __init__(self, cluster: SlurmCluster, home: Path) -> None:
        self.cluster, self.home = cluster, home
        self.lease_s = 60.0
        self.tasks = self._open()

    def _open(self) -> SlurmTasks:
        return SlurmTasks(
            folder=self.home / "slurm",
            settings=lambda: SlurmSettings(spot_partition="spot", look=0.3, settle=0.1, lease=self.lease_s),
            sockets=self.home / "sockets",
            cache=self.home / "cache",
            credentials=SimIssuer(),
            secrets=SimSecretValues(),
            surroundings=dict,
            now=time.time,
            env=self.cluster.env,
        )

    def restart(self) -> None:
        self.tasks.close()
        self.tasks = self._open()

    def ensure(self, body: TaskBody, *ids: ThingId) -> None:
        body = replace(body, workdir=str(self.home))
        bodies = [replace(body, env={"MARK": f"{id.ref.name}-{id.part}"}) for id in ids]
        if body.gang:
            bodies = [replace(each, gang=replace(body.gang, rank=rank)) for rank, each in enumerate(bodies)]
        assert not self.tasks.ensure([Wanted(id, 1, each) for id, each in zip(ids, bodies, strict=True)])

    def see(self, id: ThingId) -> Seen:
        return self.tasks.observe([id])[id]

    def until(self, id: ThingId, holds: Callable[[Seen], bool]) -> Seen:
        deadline = time.monotonic() + WITHIN_S
        while not holds(seen := self.see(id)):
            assert time.monotonic() < deadline, f"still {seen}; {self.cluster.run('squeue', '-a', '-t', 'all')}"
            PAUSE.wait(0.03)
        return seen

    def running(self, id: ThingId) -> TaskFacts:
        """Waits until its program said so, and not only its wrapper."""
        return facts(self.until(id, lambda seen: state(seen) is TaskState.RUNNING and self.starts(id) > 0))

    def end(self, id: ThingId) -> TaskEnd:
        end = facts(self.until(id, lambda seen: state(seen) is TaskState.ENDED)).end
        assert end is not None
        return end

    def clear(self, *ids: ThingId) -> None:
        for id in ids:
            self.until(id, lambda seen, id=id: isinstance(self._released(id, seen), Absent))  # type: ignore[misc]

    def _released(self, id: ThingId, seen: Seen) -> Seen:
        self.tasks.release([id])
        return seen

    def starts(self, id: ThingId) -> int:
        path = self.home / f"{id.ref.name}-{id.part}"
        return path.read_text().count("on") if path.exists() else 0

    def jobs(self, state: str = "all") -> list[str]:
        """The numbers of all jobs that Slurm has from this folder."""
        lines = self.cluster.run("squeue", "-h", "-a", "-t", state, "-O", "JobID:|,WorkDir:|").splitlines()
        return [line.split("|")[0] for line in lines if str(self.home) in line]


def facts(seen: Seen) -> TaskFacts:
    assert isinstance(seen, Present), seen
    assert isinstance(seen.facts, TaskFacts)
    return seen.facts


def state(seen: Seen) -> TaskState | None:
    return facts(seen).state if isinstance(seen, Present) else None


@pytest.fixture
def server(slurm: SlurmCluster) -> Iterator[Server]:
    home = slurm.shared / f"server-{time.monotonic_ns()}"
    home.mkdir()
    server = Server(slurm, home)
    server.until(task("404"), lambda seen: isinstance(seen, Absent))
    yield server
    server.clear(*server.tasks.inventory())
    server.tasks.close()


def test_a_gang_is_told_where_its_members_are(server: Server) -> None:
    """Four members, two to a node, each with a device of its own: they agree on one address, and end one by one."""
    tell = 'echo "$RANK/$WORLD_SIZE $MASTER_ADDR:$MASTER_PORT $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES"'
    ids = [task(f"1.{rank}") for rank in range(4)]
    body = replace(WAITS, argv=("/bin/sh", "-c", tell), gang=Gang("1", 4, 0), accelerators=Accelerators("fake", 1))
    server.ensure(body, *ids)
    assert {server.end(id).reason for id in ids} == {EndReason.SUCCEEDED}
    told = [b"".join(server.tasks.logs(id)).decode().split() for id in ids]
    assert [rank for rank, *_ in told] == ["0/4", "1/4", "2/4", "3/4"]
    assert len({address for _, address, *_ in told}) == 1
    assert len({tuple(place) for _, _, *place in told}) == 4, "no two members share a device"
    assert len(server.jobs()) == 1


def test_many_tasks_are_one_array_and_end_on_their_own(server: Server) -> None:
    """Slurm is asked once for all of them; one that fails is no other's end."""
    ids = [task(str(index), "sweep") for index in range(1, 7)]
    server.ensure(replace(WAITS, argv=("/bin/sh", "-c", "exit $((WEYR_ATTEMPT % 2))"), cpu=0.5), *ids)
    ends = [server.end(id).exit_code for id in ids]
    assert ends == [1, 0, 1, 0, 1, 0]
    assert len({job.partition("_")[0] for job in server.jobs()}) <= 6
    assert len(list((server.home / "slurm" / "submissions").iterdir())) == 1


def test_a_lost_node_takes_its_gang_along(server: Server) -> None:
    """A member that cannot say how it ended is said to be lost with its node, once Slurm knows that it is."""
    ids = [task(f"1.{rank}") for rank in range(2)]
    server.ensure(replace(WAITS, gang=Gang("1", 2, 0), cpu=4), *ids)
    for id in ids:
        server.running(id)
    nodes = server.cluster.run("scontrol", "show", "hostnames", server.cluster.run("squeue", "-h", "-o", "%N").strip())
    lost = nodes.split()[-1]
    server.lease_s = 1.0  # it is really gone: nobody has to wait for what it may still do
    server.cluster.kill_node(lost)
    server.cluster.mark_down(lost)
    try:
        assert [server.end(id).reason for id in ids] == [EndReason.NODE_LOST, EndReason.NODE_LOST]
    finally:
        server.cluster.start_node(lost)
        server.cluster.until_idle([lost])


def test_a_preempted_job_says_so(server: Server) -> None:
    """The kind begins it again at no cost to its retries; a failure would count."""
    server.ensure(replace(WAITS, is_spot=True, cpu=4), *(spot := [task(str(i), "spot") for i in (1, 2, 3)]))
    for id in spot:
        server.running(id)
    server.ensure(replace(WAITS, argv=("true",), cpu=4), task("1", "urgent"))
    assert server.end(task("1", "urgent")).reason is EndReason.SUCCEEDED
    ended: list[ThingId] = []

    def has_ended(_seen: Seen) -> bool:
        ended[:] = [id for id in spot if state(server.see(id)) is TaskState.ENDED]
        return bool(ended)

    server.until(spot[0], has_ended)
    assert [server.end(id).reason for id in ended] == [EndReason.PREEMPTED]


def test_whoever_requeues_a_job_does_not_run_it_twice(server: Server) -> None:
    """An operator may requeue what Weyr submitted; by then another attempt may run, and one of the two is wrong."""
    server.ensure(WAITS, task("1"))
    server.running(task("1"))
    (job,) = server.jobs()
    server.cluster.run("scontrol", "update", f"JobId={job}", "Requeue=1")
    server.cluster.run("scontrol", "requeue", job)
    assert server.end(task("1")).reason is EndReason.STOPPED
    server.clear(task("1"))
    assert server.starts(task("1")) == 1


def test_a_crash_after_sbatch_does_not_submit_again(server: Server) -> None:
    """The job was submitted and its number never written down: it is found by its comment, not submitted twice."""
    server.ensure(WAITS, task("1"))
    server.running(task("1"))
    (submission,) = (server.home / "slurm" / "submissions").iterdir()
    server.tasks.close()
    (submission / submission_folder.JOB).unlink()
    server.restart()
    server.until(task("1"), lambda _: submission_folder.job_of(submission) == server.jobs()[0])
    assert len(server.jobs()) == 1
    assert state(server.see(task("1"))) is TaskState.RUNNING


def test_a_crash_before_sbatch_submits_once(server: Server) -> None:
    """What was written down and not handed on is handed on by the next server."""
    server.tasks.close()  # whoever would have called sbatch
    server.ensure(WAITS, task("1"))
    server.restart()
    server.running(task("1"))
    assert server.starts(task("1")) == 1


def test_a_duplicate_that_sbatch_took_runs_nothing(server: Server) -> None:
    """An answer of sbatch's may be lost for good: both jobs exist then, and one of them runs."""
    server.ensure(WAITS, task("1"))
    server.running(task("1"))
    (submission,) = (server.home / "slurm" / "submissions").iterdir()
    job = server.cluster.run("sbatch", "--parsable", text=(submission / "script").read_text()).strip()
    deadline = time.monotonic() + WITHIN_S
    while server.cluster.run("squeue", "-h", "-a", "-j", job, "-t", "all", "-o", "%T").strip() != "FAILED":
        assert time.monotonic() < deadline
        PAUSE.wait(0.05)
    assert server.starts(task("1")) == 1
    assert state(server.see(task("1"))) is TaskState.RUNNING


def test_silence_of_slurmctld_is_not_absence(server: Server) -> None:
    """Nothing is forgotten, and nothing begun again, because a controller does not answer."""
    server.ensure(WAITS, task("1"))
    began = server.running(task("1")).started_at
    server.cluster.pause_controller()
    try:
        server.until(task("1"), lambda seen: isinstance(seen, Unknown))
        assert isinstance(server.see(task("404")), Unknown)
        server.until(task("1"), lambda _: (server.home / "slurm" / submission_folder.HOLD).exists())
    finally:
        server.cluster.resume_controller()
    assert server.running(task("1")).started_at == began
    server.cluster.restart_controller()
    assert server.running(task("1")).started_at == began
    assert server.starts(task("1")) == 1


def test_a_job_that_slurmctld_forgot_goes_on(server: Server) -> None:
    """Killed just after it started a job, it may not know of it afterwards. While its wrapper lives it is not lost."""
    server.ensure(replace(WAITS, argv=("/bin/sh", "-c", "echo on >> $MARK; sleep 3")), task("1"))
    server.running(task("1"))
    server.cluster.kill_controller()
    shutil.rmtree(server.cluster.folder / "state")
    (server.cluster.folder / "state").mkdir()
    server.cluster.start_controller()
    assert server.end(task("1")).reason in (EndReason.SUCCEEDED, EndReason.STOPPED)
    server.cluster.until_idle()


def test_a_job_that_nobody_remembers_is_found_and_ended(server: Server) -> None:
    """A data folder that was lost leaves jobs behind that are paid for: the sweep finds them by their comment."""
    server.ensure(WAITS, task("1"))
    server.running(task("1"))
    (submission,) = (server.home / "slurm" / "submissions").iterdir()
    server.tasks.close()
    os.rename(server.home / "slurm" / "tasks", server.home / "lost")
    os.rename(submission, server.home / "lost-submission")
    server.restart()
    server.until(task("1"), lambda seen: state(seen) is TaskState.RUNNING)
    assert server.tasks.inventory() == [task("1")]
    server.clear(task("1"))
    assert server.jobs("running,pending") == []


def test_what_sbatch_refuses_is_refused_in_its_words(server: Server) -> None:
    """More than any node has is no reason to wait for ever."""
    server.ensure(replace(WAITS, memory_bytes=1 << 40), task("1"))
    end = server.end(task("1"))
    assert end.reason is EndReason.REFUSED
    assert "Memory specification can not be satisfied" in end.detail


def test_a_waiting_job_that_is_released_never_runs(server: Server) -> None:
    """It leaves the queue at once; there is nothing to give grace to."""
    full = [task(str(i), "full") for i in (1, 2, 3)]
    server.ensure(replace(WAITS, cpu=4), *full)
    for id in full:
        server.running(id)
    server.ensure(WAITS, task("1"))
    server.until(task("1"), lambda seen: "waits: Resources" in facts(seen).waits)
    assert facts(server.see(full[0])).node
    server.clear(task("1"))
    assert server.starts(task("1")) == 0


def test_a_gang_runs_on_the_files_that_its_version_began_with(server: Server) -> None:
    """Nodes get the copy by the shared folder; an edit between two attempts reaches neither."""
    (server.home / "says.sh").write_text("echo old; pwd; echo more >> says.sh\n")
    body = replace(WAITS, argv=("/bin/sh", "-c", ". ./says.sh"), ship=True)
    first = [task("1.0"), task("1.1")]
    server.ensure(replace(body, gang=Gang("1", 2, 0)), *first)
    assert {server.end(id).reason for id in first} == {EndReason.SUCCEEDED}
    told = [b"".join(server.tasks.logs(id)).decode().split() for id in first]
    assert [said for said, _ in told] == ["old", "old"]
    assert len({place for _, place in told} - {str(server.home)}) == 2, "each in a copy of its own"
    (server.home / "says.sh").write_text("echo new\n")
    server.restart()
    server.ensure(body, task("2"))
    assert server.end(task("2")).reason is EndReason.SUCCEEDED
    assert b"".join(server.tasks.logs(task("2"))).startswith(b"old")
