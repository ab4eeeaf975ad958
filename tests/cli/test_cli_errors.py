"""What goes wrong, as a user sees it: always a diagnostic, never a traceback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import psutil
from cli_shell import Shell


def test_a_broken_file_is_told_with_its_line(shell: Shell) -> None:
    """The server's diagnostics are printed as style wants them, with the line that is meant."""
    shell.serve()
    (shell.folder / "bad.yaml").write_text("stack: digits\nvolumes:\n  data: {sise: 1GiB}\n")

    said = shell.weyr("up", "bad.yaml", "--yes")

    assert said.status == 1
    assert said.err.splitlines() == [
        "Error: Unknown field",
        '  bad.yaml:3 volume/data: there is no field "sise". Did you mean "size"?',
        "      3 |   data: {sise: 1GiB}",
        "  Try: weyr explain volume",
    ]


def test_a_wrong_token_is_said_and_not_tried_again(shell: Shell) -> None:
    """A data folder copied from elsewhere."""
    shell.serve()
    (shell.home / "admin.token").write_text("another\n")

    said = shell.weyr("get")

    assert said.status == 1
    assert "Error: Not signed in" in said.err


def test_a_port_that_somebody_else_took_is_recognised(shell: Shell) -> None:
    """The recorded server's port answers, but not as Weyr."""
    shell.home.mkdir()
    (shell.home / "run").mkdir()
    (shell.home / "admin.token").write_text("t\n")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        facts = {"pid": os.getpid(), "started": 0, "port": port, "url": f"http://127.0.0.1:{port}"}
        (shell.home / "run" / "server.json").write_text(json.dumps(facts))
        answering = threading.Thread(target=_answer_once, args=(door,))
        answering.start()
        said = shell.weyr("get")
        answering.join(10)

    assert said.status == 1
    assert "Error: Something else answers on the server's port" in said.err


def _answer_once(door: socket.socket) -> None:
    connection, _ = door.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def test_a_refused_connection_is_a_clear_error(shell: Shell) -> None:
    """The process lives but does not listen."""
    shell.home.mkdir()
    (shell.home / "run").mkdir()
    (shell.home / "admin.token").write_text("t\n")
    facts = {"pid": os.getpid(), "started": 0, "port": 1, "url": "http://127.0.0.1:1"}
    (shell.home / "run" / "server.json").write_text(json.dumps(facts))

    said = shell.weyr("get")

    assert said.status == 1
    assert "does not answer: Connection refused" in said.err


def test_a_data_folder_that_cannot_be_made_is_told_with_its_path(shell: Shell) -> None:
    """A file stands where the folder should be."""
    shell.home.write_text("not a folder")

    said = shell.weyr("server", "start")

    assert said.status == 1
    assert "Error: The data folder cannot be used" in said.err
    assert str(shell.home) in said.err


def test_a_server_that_dies_at_once_shows_what_it_said(shell: Shell) -> None:
    """The reason is in the log; nobody should have to look for it. Nothing is left of the attempt."""
    shell.home.mkdir()
    (shell.home / "store.db").mkdir()

    said = shell.weyr("server", "start")

    assert said.status == 1
    assert said.err.startswith("Error: ")
    assert "The database cannot be used" in said.err
    assert "Traceback" not in said.err
    mine = [p.pid for p in psutil.process_iter(["cmdline"]) if str(shell.home) in " ".join(p.info["cmdline"] or ())]
    assert mine == []


def test_init_refuses_to_overwrite(shell: Shell) -> None:
    """Somebody's work is in that file."""
    said = shell.weyr("init")

    assert said.status == 1
    assert "left as it is" in said.err
    assert (shell.folder / "weyr.yaml").read_text().startswith("stack: digits")


def test_the_starter_file_has_no_problems(shell: Shell) -> None:
    """The first file that anybody sees must work as it is."""
    assert shell.weyr("init", "My Stack").status == 0

    said = shell.weyr("validate", "My Stack")

    assert said.status == 0, said.err
    assert said.out == "my-stack: 3 objects, no problems.\n"


def test_problems_are_data_too(shell: Shell) -> None:
    """An editor or a check in CI reads the line and the words of each problem, and still sees the status."""
    (shell.folder / "weyr.yaml").write_text("stack: digits\njobs:\n  a: {run: x, idle: 1}\n")

    said = shell.weyr("validate", "--json")

    (problem,) = json.loads(said.out)["problems"]
    assert (said.status, problem["ref"], problem["place"]["line"]) == (1, "job/a", 3)
    assert "There is no field" in problem["detail"]
    assert "There is no field" in said.err


def test_unknown_verbs_kinds_and_fields_name_the_nearest(shell: Shell) -> None:
    """The next step is one word away."""
    assert "Did you mean 'cost'" in shell.weyr("cots").err
    assert 'Did you mean "bucket"?' in shell.weyr("explain", "buket").err
    assert 'Did you mean "checkpoint"?' in shell.weyr("explain", "job.chekpoint").err
    assert shell.weyr("cots").status == 2


def test_a_reader_that_goes_away_is_no_error(shell: Shell) -> None:
    """`weyr explain job | head -1` prints no traceback."""
    command = f"{sys.executable} -m weyr.cli.main explain job | head -1"

    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60,
                          env=shell.environment({}), check=False)  # fmt: skip

    assert done.stderr == ""


def test_interrupting_up_says_that_the_stack_goes_on(shell: Shell) -> None:
    """Ctrl-C stops following, and 130 tells a script so."""
    shell.serve("--start-s", "30")
    command = [sys.executable, "-m", "weyr.cli.main", "up", "--yes"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=shell.folder,
        env=shell.environment({}),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        told = iter(process.stderr)
        while "4 to create" not in next(told):
            pass
        while not shell.weyr("get").out:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = "".join(told)

    assert process.returncode == 130
    assert "digits goes on" in rest
