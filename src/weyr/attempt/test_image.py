"""Which words run a container? A table, for podman and docker."""

from typing import Any

import pytest

from weyr.attempt.image import Engine, Surroundings, client_env, command_of, contained

PODMAN, DOCKER = Engine(("podman", "--runtime", "runc")), Engine(("docker",), is_podman=False)
AROUND = Surroundings(1000, 100, 8, ("/dev/accel0",), ("/work, too",))


def order(**changes: Any) -> Any:
    plain = {
        "group": "weyr-0123456789abcdef", "workdir": "/work, too", "argv": ["python", "train.py"], "folder": "/t",
        "env": {"TOKEN": "open-sesame", "PATH": "/usr/lib/kim/bin"}, "image": "python:3.12", "cpu": 2.0,
        "memory_bytes": 1 << 26, "processes_max": 50, "devices": [], "secret_folder": "",
    }  # fmt: skip
    return {**plain, **changes}


@pytest.mark.parametrize(
    ("engine", "changes", "words"),
    [
        (PODMAN, {}, "podman --runtime runc run --name weyr-0123456789abcdef --init"),
        (PODMAN, {}, "--user 1000:100 --cpu-shares 2048 --pids-limit 50 --cpus 2 --memory 67108864b"),
        (PODMAN, {}, '--mount type=bind,"src=/work, too","dst=/work, too"'),
        (PODMAN, {}, "--env PATH=/usr/lib/kim/bin --env TOKEN python:3.12"),
        (Engine(("podman",), is_rootless=True), {}, "--userns keep-id"),
        (PODMAN, {"devices": ["GPU-a", "GPU-b"]}, "--device nvidia.com/gpu=GPU-a --device nvidia.com/gpu=GPU-b"),
        (DOCKER, {"devices": ["GPU-a", "GPU-b"]}, '--gpus "device=GPU-a,GPU-b"'),
        (DOCKER, {"devices": ["0"]}, "--device /dev/accel0"),
        (DOCKER, {}, "docker run --name weyr-0123456789abcdef --init"),
    ],
)
def test_a_container_is_what_was_wanted(engine: Engine, changes: dict[str, Any], words: str) -> None:
    """Each limit, folder and device in the words that this engine obeys."""
    assert words in " ".join(command_of(order(**changes), engine, AROUND))


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_no_device_is_shown_that_was_not_given(engine: Engine) -> None:
    """Who asked for none must not find one."""
    words = " ".join(command_of(order(), engine, AROUND))
    assert "--device" not in words
    assert "--gpus" not in words


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_no_secret_is_on_the_command_line(engine: Engine) -> None:
    """`ps` shows it to everybody; the engine takes the value from its environment."""
    made = contained(order(), engine, AROUND, {"PATH": "/usr/bin", "HOME": "/home/kim", "OTHER": "x"})
    assert not any("open-sesame" in word for word in made["argv"])
    assert made["env"] == {"TOKEN": "open-sesame", "PATH": "/usr/bin", "HOME": "/home/kim"}


def test_what_brings_inputs_stays_outside() -> None:
    """It is a program of Weyr's, which an image does not hold."""
    staged = ["/v/python", "-I", "-m", "weyr.runtime.staging", "--input=/t/inputs/a=lake/a", "--", "sh"]
    made = contained(order(argv=staged), PODMAN, AROUND, {})
    assert made["argv"][:6] == staged[:6]
    assert made["argv"][6] == "podman"
    assert made["argv"][-2:] == ["python:3.12", "sh"]


def test_the_engines_own_settings_are_the_servers() -> None:
    """A task's HOME must not hide the images of the user who runs it."""
    assert client_env({"HOME": "/t", "A": "1"}, {"HOME": "/home/kim"}) == {"HOME": "/home/kim", "A": "1"}
