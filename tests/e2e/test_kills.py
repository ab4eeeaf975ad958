"""Kill any process: what runs goes on, what was killed comes back, and nothing runs twice."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from one_user import PAUSE, User, until
from stacks import SMALL, serving
from user_life import a_user

QUESTION = {"inputs": [{"name": "input-0", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 1.0]}]}


def ask(user: User, at: str) -> list[int]:
    """One question to the endpoint, at the plane's own address."""
    metadata = user.api("GET", "/whole/sorter/v2/models/sorter", at=at)
    question = {"inputs": [{**QUESTION["inputs"][0], "name": metadata["inputs"][0]["name"]}]}
    return list(user.api("POST", "/whole/sorter/v2/models/sorter/infer", question, at=at)["outputs"][0]["data"])


@contextmanager
def asking(user: User, at: str) -> Iterator[list[str]]:
    """Asks the endpoint again and again beside what the test does; gives the list of what went wrong."""
    wrong: list[str] = []
    asked = [0]
    is_over = threading.Event()

    def keep_asking() -> None:
        while not is_over.is_set():
            try:
                if ask(user, at) != [1]:
                    wrong.append("a wrong answer")
            except (OSError, HTTPException, AssertionError) as e:
                wrong.append(repr(e))
            asked[0] += 1
            PAUSE.wait(0.05)

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        yield wrong
        until(lambda: asked[0] > 0, "a question to be answered")
    finally:
        is_over.set()
        thread.join()


def running_job(user: User, model_folder: Path) -> str:
    """A stack whose endpoint answers and whose second job runs until the file `go` is there. Gives its text."""
    line = "'echo begun >>begun; while [ ! -e go ]; do sleep 0.05; done; echo ended'"
    return serving(model_folder).replace("models:", f"  long: {{run: {line}}}\nmodels:")


def stand(user: User, model_folder: Path) -> None:
    """Brings it up as far as it comes while the job runs."""
    user.write(running_job(user, model_folder))
    user.weyr("up", "--yes", "--detach")
    user.until_phase("endpoint/sorter", "ready")
    until(lambda: (user.folder / "begun").exists(), "the long job to run")


def test_a_killed_server_comes_back_to_the_same_attempt_and_replica(user: User, model_folder: Path) -> None:
    """kill -9 amid a job and an endpoint: the endpoint answers all the while, `weyr up` ends as it should."""
    stand(user, model_folder)
    replicas = user.row("endpoint/sorter")["things"]

    with asking(user, user.url("inference")) as wrong:
        user.kill("server")
        (user.folder / "go").touch()
        user.weyr("up", "--yes")
    assert wrong == []
    assert (user.folder / "begun").read_text() == "begun\n", "the job ran once"
    assert user.row("job/long")["outputs"]["attempts"] == 1
    assert user.weyr("logs", "job/long").out == "ended\n"
    assert [thing["id"] for thing in user.row("endpoint/sorter")["things"]] == [thing["id"] for thing in replicas]


def test_a_command_that_follows_outlives_the_server(user: User) -> None:
    """`weyr up` says that the server went away, starts it again, and ends as if nothing had been."""
    line = '"echo begun >>begun; while [ ! -e go ]; do sleep 0.05; done"'
    user.write(SMALL.replace("echo hello from $WEYR_JOB", line))
    with subprocess.Popen(
        [sys.executable, "-m", "weyr.cli.main", "up", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=user.environment(), cwd=user.folder, text=True,
    ) as following:  # fmt: skip
        until(lambda: (user.folder / "begun").exists(), "the job to run")
        user.until_back("server", user.kill("server"))
        (user.folder / "go").touch()
        said = following.communicate(timeout=180)[0]

    assert following.returncode == 0, said
    assert "went away. Starting it again" in said
    assert (user.folder / "begun").read_text() == "begun\n"


def test_a_stopped_server_is_taken_up_where_it_left(user: User, model_folder: Path) -> None:
    """`weyr server stop` and start: tasks and planes are the same processes afterwards."""
    stand(user, model_folder)
    before = {name: user.pid(name) for name in ("s3", "inference", "launcher")}
    address = user.url("inference")

    with asking(user, address) as wrong:
        assert "Still running" in user.weyr("server", "stop").err
        user.weyr("server", "status", status=1)
        assert user.weyr("get", "endpoint/sorter").out, "reading needs no server"
        user.weyr("server", "start")
        user.until_phase("endpoint/sorter", "ready")
    assert wrong == []
    assert {name: user.pid(name) for name in before} == before
    assert user.row("job/long")["phase"] == "working"
    (user.folder / "go").touch()
    assert user.until_phase("job/long", "done")["outputs"]["attempts"] == 1


def test_a_killed_plane_comes_back_at_its_address(user: User, model_folder: Path) -> None:
    """Both planes are restarted by themselves, on the ports that clients know, with what they held."""
    user.up(serving(model_folder))
    s3 = user.s3()
    s3.put_object(Bucket="whole-lake", Key="kept", Body=b"acknowledged")
    addresses = {name: user.url(name) for name in ("s3", "inference")}

    for name in addresses:
        user.until_back(name, user.kill(name))

    assert {name: user.url(name) for name in addresses} == addresses
    assert s3.get_object(Bucket="whole-lake", Key="kept")["Body"].read() == b"acknowledged"
    assert ask(user, addresses["inference"]) == [1]
    user.up()


def test_a_server_that_is_killed_while_it_stops_leaves_nothing(user: User) -> None:
    """`weyr down` looks after the planes that such a server did not get to, and says no more than is true."""
    user.up(SMALL)
    plane = user.pid("inference")
    os.kill(plane, signal.SIGSTOP)  # the server has to wait for it, and so can be met while it stops
    with subprocess.Popen(
        [sys.executable, "-m", "weyr.cli.main", "down", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=user.environment(), cwd=user.folder, text=True,
    ) as down:  # fmt: skip
        log = user.home / "logs" / "server.log"
        until(lambda: '"server.stopping"' in log.read_text(), "the server to begin to stop")
        user.kill("server")
        os.kill(plane, signal.SIGCONT)
        said = down.communicate(timeout=180)[0]

    assert down.returncode == 0, said
    assert user.remains() == []


def test_what_was_killed_just_before_the_end_leaves_no_socket(user: User) -> None:
    """A launcher and a plane that were killed and not needed again cannot remove their own."""
    user.up(SMALL)
    os.kill(user.pid("server"), signal.SIGSTOP)
    for name in ("launcher", "inference"):
        user.kill(name)
    os.kill(user.pid("server"), signal.SIGCONT)

    user.weyr("down", "--yes")

    assert user.remains() == []


def test_a_data_folder_with_a_long_path_works() -> None:
    """Longer than a Unix socket's name may be: the sockets lie elsewhere, and go as everything does."""
    with a_user() as user:
        user.home = user.home.parent / ("long-" * 20) / ("path-" * 5) / "home"
        (user.home).mkdir(parents=True, mode=0o700)
        (user.home / "ports.json").write_text((user.folder.parent / "h" / "ports.json").read_text())
        assert len(str(user.home)) > 108
        user.up(SMALL)
        assert user.weyr("logs", "job/hello").out == "hello from hello\n"
        user.weyr("down", "--yes")
        assert user.remains() == []
