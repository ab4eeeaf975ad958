"""What holds wherever a task really runs: its folder, its walls. On all engines that run processes."""

from engines import LocalWorld, SlurmWorld, task_id

from weyr.core.capability import TaskBody, Wanted
from weyr.core.ref import ThingId

RealWorld = LocalWorld | SlurmWorld


def said(world: RealWorld, id: ThingId, body: TaskBody, generation: int = 1) -> list[str]:
    """Runs a task to its end; gives its lines."""
    assert not world.patiently(lambda: world.provider.ensure([Wanted(id, generation, body)]))
    world.ended(id)
    return b"".join(world.provider.logs(id)).decode().splitlines()


def test_a_shipped_folder_is_what_it_was(real_world: RealWorld) -> None:
    """A retry on another node runs the files of its version, though they were edited since and the server restarted."""
    code = real_world.home / "code"
    code.mkdir()
    (code / "says.sh").write_text("echo old; pwd; wc -c < large; echo more >> says.sh")
    (code / "large").write_bytes(b"x" * (9 << 20))
    body = TaskBody(("/bin/sh", "-c", ". ./says.sh"), str(code), ship=True)
    first, place, size = said(real_world, task_id("1"), body)
    assert (first, size) == ("old", str(9 << 20))
    assert place != str(code)
    assert sorted(path.name for path in code.iterdir()) == ["large", "says.sh"]
    (code / "says.sh").write_text("echo new")
    assert said(real_world, task_id("2"), body)[0] == "old"
    assert said(real_world, task_id("3"), body, generation=2) == ["new"]
