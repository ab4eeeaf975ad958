"""A Python environment for a task: made once, kept, never used half built. Packages come from a folder, by pip."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from engines import LocalWorld, task_id

from weyr.attempt import interpreters
from weyr.attempt.builder import READY, hold
from weyr.attempt.environment import make_room, uv_settings
from weyr.attempt.requirements import key_of
from weyr.core.capability import Sandbox, TaskBody, Wanted
from weyr.core.seen import EndReason

SCRIPT = "python -c 'import greeting; print(greeting.WORD)'; command -v python"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tiny package in two versions."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        write_wheel(folder, version)
    return folder


def write_wheel(folder: Path, version: str) -> None:
    home = f"greeting-{version}.dist-info"
    files = {
        "greeting.py": f"WORD = 'hello {version}'\n",
        f"{home}/METADATA": f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n",
        f"{home}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    with zipfile.ZipFile(folder / f"greeting-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, f"{home}/RECORD": record + f"{home}/RECORD,,\n"}.items():
            wheel.writestr(name, text)


def body(local: LocalWorld, wheels: Path, *requirements: str, sandbox: Sandbox | None = None) -> TaskBody:
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    work = local.home / "work"
    work.mkdir(exist_ok=True)
    return TaskBody(("/bin/sh", "-c", SCRIPT), str(work), env, requirements=requirements, sandbox=sandbox)


def run(local: LocalWorld, part: str, body: TaskBody) -> str:
    assert local.provider.ensure([Wanted(task_id(part), 1, body)]) == {}
    local.ended(task_id(part))
    return b"".join(local.provider.logs(task_id(part))).decode()


def environments(local: LocalWorld) -> list[Path]:
    return [path.parent for path in (local.home / "cache" / "environments").glob(f"*/{READY}")]


def test_many_tasks_make_one_environment(local: LocalWorld, wheels: Path) -> None:
    """Whoever is first makes it, the others wait and use it; one log shows what was installed. Sandboxes see it too."""
    wanted = body(local, wheels, "greeting==1.0")
    assert local.provider.ensure([Wanted(task_id(str(n)), 1, wanted) for n in range(1, 4)]) == {}
    for n in range(1, 4):
        local.ended(task_id(str(n)))
    logs = [b"".join(local.provider.logs(task_id(str(n)))).decode() for n in range(1, 4)]
    (made,) = environments(local)
    assert all(f"hello 1.0\n{made}/bin/python\n" in log for log in logs)
    assert sum("the environment is made" in log for log in logs) == 1

    assert "hello 1.0" in run(local, "4", body(local, wheels, "greeting==1.0", sandbox=Sandbox(network="none")))


def test_what_cannot_be_installed_says_why(local: LocalWorld, wheels: Path) -> None:
    """Not started, so no attempt of the program's is used up; pip's own words are in its log; nothing half is left."""
    log = run(local, "1", body(local, wheels, "greeting==3.0"))
    end = local.ended(task_id()).end
    assert end is not None
    assert end.reason is EndReason.NOT_STARTED
    assert "No matching distribution found for greeting==3.0" in log or "there is no version of greeting==3.0" in log
    assert environments(local) == []


@pytest.mark.parametrize(
    ("setting", "words"), [({}, "+ greeting==2.0"), ({"PIP_NO_COLOR": "1"}, "Successfully installed")]
)
def test_uv_and_pip_install_the_same(wheels: Path, tmp_path: Path, setting: dict[str, str], words: str) -> None:
    """uv is faster; a setting that it does not know, or a machine without it, leaves it to pip."""
    env = {**os.environ, "HOME": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), **setting}
    argv = [sys.executable, "-m", "weyr.attempt.environment", str(tmp_path / "made"), sys.executable, "greeting"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert words in done.stdout + done.stderr
    greet = [str(tmp_path / "made" / "bin" / "python"), "-c", "import greeting; print(greeting.WORD)"]
    assert subprocess.run(greet, capture_output=True, text=True, check=True).stdout == "hello 2.0\n"


def test_settings_that_uv_has_no_word_for_leave_it_to_pip() -> None:
    """Ignored, they would install something else than the user has always got."""
    assert uv_settings({"PIP_FIND_LINKS": "a b", "PIP_NO_INPUT": "1", "HOME": "x"}) == {"UV_FIND_LINKS": "a,b"}
    assert uv_settings({"PIP_USE_FEATURE": "x"}) is None


def test_a_task_has_the_python_that_it_asks_for(local: LocalWorld) -> None:
    """Whatever Weyr itself runs with, to the last digit where that is said."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    script = "python -c 'import sys; print(sys.version_info[:3], sys.prefix)'"
    found = run(local, "1", TaskBody(("/bin/sh", "-c", script), str(local.home), python=version))

    (made,) = environments(local)
    assert f"{sys.version_info[:3]} {made}" in found


def test_a_python_that_is_not_there_is_refused_with_those_that_are(local: LocalWorld) -> None:
    """Another one in its place would be a setting ignored."""
    wanted = Wanted(task_id(), 1, TaskBody(("true",), str(local.home), python="3.99"))
    reason = local.provider.ensure([wanted])[task_id()].reason
    assert "asks for Python 3.99" in reason
    assert f"3.{sys.version_info.minor}." in reason


def test_the_newest_of_a_version_is_found(tmp_path: Path) -> None:
    """`3.9` is not `3.90`, and of 3.9.1 and 3.9.12 it is the later; what does not run is none."""
    for minor, version in (("9", "3.9.1"), ("90", "3.90.0"), ("91", "")):
        program = tmp_path / f"python3.{minor}"
        program.write_text(f"#!/bin/sh\necho cpython.{version}\n" if version else "#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    (tmp_path / "later").mkdir()
    later = tmp_path / "later" / "python3.9"
    later.write_text("#!/bin/sh\necho cpython.3.9.99\n")
    later.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{tmp_path}/later"}

    assert interpreters.find("3.9", environment) == str(later)
    assert interpreters.find("3.9.1", environment) == str(tmp_path / "python3.9")
    assert interpreters.find("3.91", environment) == ""


def test_a_file_of_requirements_that_is_not_there_is_refused(local: LocalWorld, wheels: Path) -> None:
    """Before anything is started."""
    wanted = Wanted(task_id(), 1, body(local, wheels, "-r none.txt"))
    assert "none.txt" in local.provider.ensure([wanted])[task_id()].reason


def test_a_half_built_environment_is_never_used(tmp_path: Path) -> None:
    """Killed in the middle of an installation: the mark is written last."""
    folder = tmp_path / "environments" / "half"
    (folder / "bin").mkdir(parents=True)
    assert not hold(str(folder))
    (folder / READY).write_text("{}")
    assert hold(str(folder))


def test_old_environments_make_room_but_not_those_in_use(tmp_path: Path) -> None:
    """The cache is bounded; a task never loses its interpreter."""
    for age, name in enumerate(("new", "used", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / READY).write_text(json.dumps({"size_bytes": 10}))
        os.utime(tmp_path / name / READY, (1000 - age, 1000 - age))
    pid = os.fork()
    if pid == 0:
        hold(str(tmp_path / "used"))
        os.utime(tmp_path / "used" / READY, (999, 999))
        make_room(tmp_path, kept_max=1)  # who holds one in another process than the sweeper's keeps it all the same
        os._exit(0 if (tmp_path / "used").exists() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["new", "used"]


def test_an_environment_is_named_by_all_that_is_in_it(tmp_path: Path) -> None:
    """Two tasks share one only if pip would install the same for both."""
    (tmp_path / "r.txt").write_text("a==1\n")

    def key(*lines: str, python: str = "python", env: dict[str, str] | None = None) -> str:
        return key_of(lines, python, str(tmp_path), env or {})

    first = key("a", "b")
    assert key("b", "a") == first
    assert len({first, key("a"), key("a", "b", python="other"), key("a", "b", env={"PIP_INDEX_URL": "x"})}) == 4
    assert key("a", "b", env={"HOME": "x"}) == first
    by_file = key("-r r.txt")
    (tmp_path / "r.txt").write_text("a==2\n")
    assert key("-r r.txt") != by_file
