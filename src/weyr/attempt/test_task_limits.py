"""Where are limits enforced, and by what? The choice, tried on made-up machines."""

import os
from pathlib import Path

from weyr.attempt.limits import TOGETHER, Hierarchy, Limits, hierarchies

V1_MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup {root}/cpu cgroup rw,relatime,cpu,cpuacct 0 0
cgroup {root}/memory cgroup rw,relatime,memory 0 0
cgroup2 {root}/unified cgroup2 rw,relatime 0 0
"""
V1_OWN = "4:memory:/box/7\n1:cpu,cpuacct:/\n0::/\n"


def machine(tmp_path: Path, mounts: str, own: str) -> dict[str, Hierarchy]:
    (tmp_path / "mounts").write_text(mounts.format(root=tmp_path))
    (tmp_path / "own").write_text(own)
    return hierarchies(str(tmp_path / "mounts"), str(tmp_path / "own"))


def test_each_controller_is_found_where_we_are_in_it(tmp_path: Path) -> None:
    """A group of ours lies inside our own: what bounds us bounds our tasks."""
    trees = machine(tmp_path, V1_MOUNTS, V1_OWN)
    assert trees == {"cpu": Hierarchy(1, f"{tmp_path}/cpu"), "memory": Hierarchy(1, f"{tmp_path}/memory/box/7")}


def test_v2_groups_lie_where_the_controller_is_handed_on(tmp_path: Path) -> None:
    """v2 allows no processes beside groups with controllers: mostly it is our parent that has it."""
    (tmp_path / "user" / "session").mkdir(parents=True)
    (tmp_path / "user" / "session" / "cgroup.subtree_control").write_text("")
    (tmp_path / "user" / "cgroup.subtree_control").write_text("cpu memory\n")
    trees = machine(tmp_path, "cgroup2 {root} cgroup2 rw 0 0\n", "0::/user/session\n")
    assert trees == {name: Hierarchy(2, f"{tmp_path}/user") for name in ("cpu", "memory")}


def test_v2_limits_are_written_as_its_files_want_them(tmp_path: Path) -> None:
    """cpu.max in microseconds per period, memory.max in bytes, no swap instead of memory."""
    group = tmp_path / "weyr-00"
    group.mkdir()
    for name in ("cpu.max", "memory.max", "memory.swap.max", "memory.oom.group"):
        (group / name).write_text("")
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    trees = {name: Hierarchy(2, str(tmp_path)) for name in ("cpu", "memory")}
    limits = Limits("weyr-00", 0.5, 64 << 20, trees)
    assert (group / "cpu.max").read_text() == "50000 100000"
    assert (group / "memory.max").read_text() == str(64 << 20)
    assert (limits.cpu_by, limits.memory_by) == ("cgroup v2", "cgroup v2")
    assert limits.out_of_memory_count() == 2
    assert limits.doors == [f"{group}/cgroup.procs"]


def test_those_that_stand_back_weigh_together_as_one_on_each_cpu(tmp_path: Path) -> None:
    """A hundred jobs at once may not slow who works at the machine more than one on each CPU would, also those that
    have all its CPUs."""
    group = tmp_path / TOGETHER / "weyr-00"
    group.mkdir(parents=True)
    for path in (group / "cpu.weight", group.parent / "cpu.weight", group.parent / "cgroup.subtree_control"):
        path.write_text("")
    cpus = os.cpu_count() or 1
    limits = Limits(f"{TOGETHER}/weyr-00", float(cpus), None, {"cpu": Hierarchy(2, str(tmp_path))})
    assert (group.parent / "cpu.weight").read_text() == str(10 * cpus)
    assert (group / "cpu.weight").read_text() == str(10 * cpus)
    assert (group.parent / "cgroup.subtree_control").read_text().startswith("+")
    assert limits.doors == [f"{group}/cgroup.procs"]
    assert limits.cpu_by == "nothing", "it is weighed and not bounded"


def test_what_somebody_waits_for_is_not_weighed_like_a_job(tmp_path: Path) -> None:
    """A job stands back behind its owner's programs; a service on a busy machine would answer nobody if it did."""
    written = []
    for name in (f"{TOGETHER}/weyr-00", "weyr-00"):
        group = tmp_path / name
        group.mkdir(parents=True)
        for file in ("cpu.max", "cpu.weight"):
            (group / file).write_text("")
        Limits(name, 0.5, None, {"cpu": Hierarchy(2, str(tmp_path))})
        written.append((group / "cpu.weight").read_text())
    assert written == ["5", "50"]


def test_without_groups_cpu_is_bounded_by_affinity_and_memory_by_measuring() -> None:
    """A user without the right to make groups has limits all the same."""
    limits = Limits("weyr-abcdef", 0.5, 64 << 20, {})
    assert (limits.cpu_by, limits.memory_by, limits.must_measure) == ("affinity", "measuring", True)
    assert len(limits.cpus) == 1


def test_what_is_not_asked_for_is_not_bounded() -> None:
    """All CPUs and no memory limit need no group, and cost nothing."""
    limits = Limits("weyr-abcdef", float(os.cpu_count() or 1), None, {})
    assert (limits.cpu_by, limits.memory_by, limits.folders) == ("nothing", "nothing", [])


def test_a_group_that_may_not_be_made_is_no_error() -> None:
    """The next best way is taken; a limit is never dropped."""
    nowhere = {name: Hierarchy(1, "/proc/self/nowhere") for name in ("cpu", "memory")}
    limits = Limits("weyr-abcdef", 0.5, 1 << 20, nowhere)
    assert (limits.cpu_by, limits.memory_by) == ("affinity", "measuring")
