"""What does a task find in a container of its own? Tried on podman, with an image that no registry was asked for."""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from engines import LocalWorld, facts_of, task_id

from weyr.attempt import image
from weyr.attempt.task_folder import STATE, read_json
from weyr.core.capability import IN_HEALTH, TaskBody, Wanted
from weyr.core.ref import Ref
from weyr.core.seen import EndReason, TaskEnd

IMAGE = "localhost/tiny:1"
SETTINGS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""
"""What machines need that are containers themselves, as those are that run these tests."""
SECRET = Ref("digits", "secret", "hub")


@pytest.fixture(scope="module")
def podman() -> Iterator[list[str]]:
    """The words that begin its commands, with a storage of its own that holds IMAGE."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="weyr-podman-") as name:
        folder = Path(name)
        (folder / "containers.conf").write_text(SETTINGS)
        words = ["podman", "--storage-driver", "vfs", "--root", f"{folder}/root", "--runroot", f"{folder}/run"]
        patch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        patch.setenv(image.COMMAND, " ".join(words))
        image._found.cache_clear()
        with tarfile.open(folder / "image.tar", "w") as tar:
            tar.add(shutil.which("busybox") or "/bin/busybox", "bin/busybox")
            for program in ("sh", "cat", "env", "id", "pwd", "sleep", "dd", "echo", "touch"):
                link = tarfile.TarInfo(f"bin/{program}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        subprocess.run([*words, "import", f"{folder}/image.tar", IMAGE], check=True, capture_output=True)
        yield words
        image._found.cache_clear()


def begin(local: LocalWorld, work: Path, argv: tuple[str, ...], **more: object) -> None:
    body = TaskBody(argv, str(work), **{"image": IMAGE, **more})  # type: ignore[arg-type]
    assert local.provider.ensure([Wanted(task_id(), 1, body)]) == {}


def end_of(local: LocalWorld, podman: list[str]) -> tuple[TaskEnd, str]:
    """Its end and its log; by then no container of it is left."""
    found = local.ended(task_id()).end
    assert found is not None
    assert containers(podman) == ""
    return found, b"".join(local.provider.logs(task_id())).decode()


def containers(podman: list[str]) -> str:
    return subprocess.run([*podman, "ps", "--all", "--quiet"], check=True, capture_output=True, text=True).stdout


def test_a_task_runs_in_its_image_with_its_folder_variables_and_secrets(
    podman: list[str], local: LocalWorld, tmp_path: Path
) -> None:
    """The system is the image's; what is the task's is there as without one, and what it made is its owner's."""
    local.secrets.values[SECRET] = b"open-sesame-42"
    script = (
        'echo $PLACE; pwd; cat /bin/busybox >/dev/null && ! test -e /usr/bin/env && echo inside; cat "$HUB_FILE"; '
        "echo $HUB; ps | cat; touch made; echo $PATH; exit 3"
    )
    more = {"env": {"PLACE": "here"}, "secret_env": {"HUB": SECRET}, "secret_files": {"HUB_FILE": SECRET}}
    begin(local, tmp_path, ("sh", "-c", script), memory_bytes=64 << 20, **more)
    end, log = end_of(local, podman)
    assert (end.reason, end.exit_code) == (EndReason.FAILED, 3), log
    assert log.split()[:3] == ["here", str(tmp_path), "inside"], log
    assert log.count("****") == 2
    assert "/usr/bin" in log
    assert (tmp_path / "made").stat().st_uid == os.getuid()


def test_sigterm_reaches_the_program_and_a_deaf_one_goes_after_its_grace(
    podman: list[str], local: LocalWorld, tmp_path: Path
) -> None:
    """A stopped task may save its work, also inside; then the container is gone."""
    script = "trap 'echo saved > state; sleep 60' TERM; echo > begun; while :; do sleep 0.1; done"
    begin(local, tmp_path, ("sh", "-c", script), grace_s=4.0)
    local.until(task_id(), lambda _: (tmp_path / "begun").exists())
    local.release(task_id())
    end, log = end_of(local, podman)
    assert end.reason is EndReason.STOPPED, log
    assert (tmp_path / "state").read_text() == "saved\n"


def test_the_engine_keeps_the_memory_limit(podman: list[str], local: LocalWorld, tmp_path: Path) -> None:
    """What takes too much is ended; one that stays below is not."""
    begin(local, tmp_path, ("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"), memory_bytes=32 << 20)
    end, log = end_of(local, podman)
    assert end.signal == signal.SIGKILL or end.reason is EndReason.OUT_OF_MEMORY, log
    assert "32 MiB" in end.detail


@pytest.mark.parametrize(
    ("name", "argv", "words"),
    [("localhost:1/none:1", ("sh",), "localhost:1"), (IMAGE, ("no-such-program",), "could not be started")],
)
def test_a_container_that_never_began_says_why(
    podman: list[str], local: LocalWorld, tmp_path: Path, name: str, argv: tuple[str, ...], words: str
) -> None:
    """An image that cannot be pulled is no failure of the program, and is not counted as one."""
    begin(local, tmp_path, argv, image=name)
    end, _ = end_of(local, podman)
    assert end.reason is EndReason.NOT_STARTED
    assert words in end.detail


def test_a_killed_wrapper_leaves_no_container(podman: list[str], local: LocalWorld, tmp_path: Path) -> None:
    """A second attempt must not run beside the first."""
    begin(local, tmp_path, ("sh", "-c", "echo > begun; sleep 60"))
    local.until(task_id(), lambda _: (tmp_path / "begun").exists())
    state = read_json(str(local.home / "tasks" / "digits%3Ajob%2Ftrain%231"), STATE) or {}
    os.kill(int(state["wrapper"]), signal.SIGKILL)
    end, _ = end_of(local, podman)
    assert end.reason is EndReason.LOST


def test_a_program_that_serves_answers_from_its_container(podman: list[str], local: LocalWorld, tmp_path: Path) -> None:
    """A service brings its own server in an image; Weyr asks it over its port whether it is well, and stops it."""
    (tmp_path / "page.txt").write_text("from the image")
    server = ("sh", "-c", "exec busybox httpd -f -p 127.0.0.1:$PORT -h .")
    check = ("--http=/page.txt", "--after=0", "--every=0.2", "--timeout=5", "--failures=3", "--")
    begin(local, tmp_path, (*IN_HEALTH, *check, *server), probe="/", ports=(0,))

    ready = local.until(task_id(), lambda seen: getattr(getattr(seen, "facts", None), "is_ready", False))
    (port,) = facts_of(ready).ports
    with urlopen(f"http://127.0.0.1:{port}/page.txt", timeout=60) as answer:
        assert answer.read() == b"from the image"
    assert containers(podman) != ""
    local.provider.release([task_id()])
    end, _ = end_of(local, podman)
    assert end.reason is EndReason.STOPPED


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"requirements": ("numpy",)}, "Python requirements"),
        ({"workdir": "/"}, "the whole machine"),
        ({"probe": "/"}, "by a program of Weyr's"),
        ({"secret_env": {"DOCKER_HOST": SECRET}}, "cannot be a secret"),
    ],
)
def test_what_a_container_cannot_be_is_refused(more: dict[str, object], words: str) -> None:
    """Refuse, never ignore."""
    body = TaskBody(**{"argv": ("true",), "workdir": "/usr", "image": IMAGE, **more})  # type: ignore[arg-type]
    assert words in image.refusal(body, image.Engine(("podman",)))


def test_without_an_engine_the_reason_is_said(tmp_path: Path) -> None:
    """Somebody who lacks podman is told so, not that a task failed."""
    found = image.find({"PATH": str(tmp_path)})
    assert "podman is not installed; docker is not installed" in image.refusal(
        TaskBody(("true",), "/usr", image=IMAGE), found
    )
