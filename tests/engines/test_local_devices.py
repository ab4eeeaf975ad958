"""What a task sees of accelerators on this machine, as its own environment says."""

from engines import LocalWorld, task_id

from weyr.core.capability import Accelerators, TaskBody, Wanted

NAMES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS")


def look(local: LocalWorld, part: str, body: TaskBody) -> str:
    assert local.provider.ensure([Wanted(task_id(part), 1, body)]) == {}
    local.ended(task_id(part))
    return b"".join(local.provider.logs(task_id(part))).decode()


def body(local: LocalWorld, wanted: Accelerators | None = None, devices: tuple[str, ...] = ()) -> TaskBody:
    script = " ".join(f'"${name}"' for name in NAMES)
    # What the user wrote does not open what was not given.
    env = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    return TaskBody(("/bin/sh", "-c", f"echo {script}"), str(local.home), env, accelerators=wanted, devices=devices)


def test_a_task_sees_what_was_chosen_for_it_and_nothing_else(local: LocalWorld) -> None:
    """By the variables that the vendors' libraries obey."""
    assert look(local, "1", body(local)) == " -1 \n"
    assert look(local, "2", body(local, Accelerators("any", 2), ("1", "3"))) == "1,3 1,3 1,3\n"


def test_a_share_that_nobody_enforces_is_said_in_the_log(local: LocalWorld) -> None:
    """Half a device is then an agreement between programs, and who relies on more should know."""
    assert "not enforced" in look(local, "1", body(local, Accelerators("any", share_milli=500), ("1",)))


def test_a_device_that_is_not_here_is_refused(local: LocalWorld) -> None:
    """A UUID names one device of one machine."""
    wanted = Wanted(task_id(), 1, body(local, Accelerators("H100", 1), ("GPU-0",)))
    assert "does not have" in local.provider.ensure([wanted])[task_id()].reason
