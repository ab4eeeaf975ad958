"""Any HTTP server is an endpoint; what one replica does wrong is told to its caller, and harms nobody else."""

import http.client
import json
import struct
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from one_user import User, until
from user_life import a_user

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in_llama.py")
FAULTY = Path(__file__).with_name("faulty_server.py")
STACK = f"""\
stack: prog
endpoints:
  chat:
    folder: {ROOT}/examples/llm-shaped
    run: uvicorn server:app --uds "$WEYR_SOCKET" --log-level warning --no-access-log
    listens: socket
    ready: /health
    env: {{SPEED: "30"}}
    resources: {{cpu: 0.5}}
  faulty:
    run: python {FAULTY}
    ready: /healthz
    resources: {{cpu: 0.5, memory: 128MiB}}
    scale: {{min: 2, max: 2}}
    hold: 20s
  hungry:
    run: python {FAULTY} eats
    resources: {{cpu: 0.5, memory: 64MiB}}
  llama:
    engine: llama.cpp
    weights: ./tiny.gguf
    args: [--ctx-size, "64"]
    env: {{PATH: "{{bin}}:/usr/bin:/bin"}}
    resources: {{cpu: 0.5}}
  clumsy:
    run: python {FAULTY} dies-once
    ready: /healthz
    resources: {{cpu: 0.5}}
"""


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with a_user() as made:
        program = made.folder / "bin" / "llama-server"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
        program.chmod(0o755)
        # A GGUF file of version 3 with neither tensors nor metadata.
        (made.folder / "tiny.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
        made.write(STACK.replace("{bin}", str(program.parent)))
        made.weyr("up", "--yes", "--detach", status=None)
        for name in ("chat", "faulty", "clumsy", "llama"):
            until(partial(is_ready, made, name), f"{name} to answer")
        yield made


def is_ready(user: User, name: str) -> bool:
    return bool(user.row(f"endpoint/{name}").get("phase") == "ready")


def ask(user: User, path: str, method: str = "POST", endpoint: str = "faulty") -> tuple[int, str]:
    return user.request(method, f"/prog/{endpoint}/{path}", at=user.url("inference"))


def story(user: User, name: str) -> str:
    return user.weyr("describe", f"endpoint/{name}").out


def test_the_openai_client_talks_to_a_server_of_ones_own(user: User) -> None:
    """A program that listens at a Unix socket is spoken to through the plane, streams and all; the same prompt gives
    the same answer, and its beginning is not read twice."""
    client = openai.OpenAI(base_url=f"{user.url('inference')}/prog/chat/v1", api_key=user.token)
    messages: Any = [{"role": "user", "content": "Tell me of dragons. " * 40}]

    def said() -> tuple[str, int]:
        pieces, cached = [], 0
        with client.chat.completions.create(
            model="llm-shaped", messages=messages, max_tokens=20, stream=True, stream_options={"include_usage": True}
        ) as stream:
            for chunk in stream:
                pieces += [choice.delta.content or "" for choice in chunk.choices]
                if chunk.usage and chunk.usage.prompt_tokens_details:
                    cached = chunk.usage.prompt_tokens_details.cached_tokens or 0
        return "".join(pieces), cached

    first, again = said(), said()
    client.close()

    assert first[0] == again[0]
    assert len(first[0].split()) == 20
    assert (first[1], again[1] > 100) == (0, True)


def test_an_engine_by_name_answers_through_the_plane(user: User) -> None:
    """Its port, its file and its name are in its command, and its readiness is asked where it has it. What runs here
    stands in for llama.cpp's server."""
    status, text = ask(user, "v1/models", "GET", "llama")

    assert (status, json.loads(text)["data"]) == (200, [{"id": "llama", "ctx": 64}])


def test_what_an_engine_says_of_itself_is_told_under_our_names(user: User) -> None:
    """One dashboard shows a full queue inside of any engine; one that tells nothing of its cache is not said to have
    an empty one."""

    def told() -> list[str]:
        status, text = user.request("GET", "/metrics")
        assert status == 200
        whose = '{endpoint="prog/llama",engine="llama.cpp",replica="1"}'
        return [line.replace(whose, "") for line in text.splitlines() if line.startswith("weyr_engine_")]

    until(lambda: "weyr_engine_up 1.0" in told(), "its own page to be read")
    assert told() == [
        "weyr_engine_up 1.0",
        "weyr_engine_running 2.0",
        "weyr_engine_waiting 5.0",
        "weyr_engine_prompt_tokens_total 71.0",
        "weyr_engine_generation_tokens_total 33.0",
    ]


def test_a_replica_that_dies_in_a_request_fails_that_request_alone(user: User) -> None:
    """Its caller gets 502 with a reason, the others their answers; another replica takes its place."""
    before = {ask(user, "pid")[1] for _ in range(4)}
    status, text = ask(user, "die")

    assert status == 502
    assert "error" in json.loads(text)
    assert [ask(user, "pid")[0] for _ in range(4)] == [200] * 4
    until(lambda: {ask(user, "pid")[1] for _ in range(4)} - before, "another replica to answer")
    assert "exit code 7" in story(user, "faulty")


def test_a_stream_that_breaks_off_is_not_taken_for_a_whole_answer(user: User) -> None:
    """The caller sees that bytes are missing: an answer cut short must not look complete."""
    connection = http.client.HTTPConnection(user.url("inference").removeprefix("http://"), timeout=60)
    connection.request("POST", "/prog/faulty/stream", headers={"Authorization": f"Bearer {user.token}"})
    answer = connection.getresponse()

    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    assert ask(user, "pid")[0] == 200


def test_what_is_no_http_is_answered_with_502(user: User) -> None:
    """A caller never gets a replica's garbage, and the replica's next caller nothing of it either."""
    status, text = ask(user, "garbage")

    assert status == 502
    assert "error" in json.loads(text)
    assert ask(user, "pid")[0] == 200


def test_a_slow_replica_keeps_nobody_else_waiting(user: User) -> None:
    """Whoever comes goes to the replica that is free."""
    until(lambda: "2 replicas" in user.row("endpoint/faulty")["conditions"][0]["message"], "both replicas to be ready")
    slow = threading.Thread(target=lambda: ask(user, "slow"))
    slow.start()
    try:
        assert [ask(user, "pid")[0] for _ in range(5)] == [200] * 5
        assert slow.is_alive()
    finally:
        (user.folder / "slow-ends").touch()
        slow.join()


def test_out_of_memory_while_serving_is_said_to_be_that(user: User) -> None:
    """The limit ends the one replica; its caller gets 502, and whoever looks reads the reason."""
    status, _ = ask(user, "eat")

    assert status == 502
    assert ask(user, "pid")[0] == 200
    until(lambda: "out of memory" in story(user, "faulty"), "the reason to be told")


def test_out_of_memory_while_loading_is_no_endless_loop(user: User) -> None:
    """It is tried again after longer and longer pauses, and failed from the third time on, with the reason."""
    until(lambda: user.row("endpoint/hungry").get("phase") == "failed", "it to fail")
    row = user.row("endpoint/hungry")
    replicas = [thing["part"] for thing in row["things"] if thing["part"] != "route"]

    assert "out of memory" in row["conditions"][0]["message"]
    assert "tried" in row["conditions"][0]["message"]
    assert all(int(part) < 12 for part in replicas), "a pause grows with each crash"


def test_a_replica_that_dies_while_loading_is_begun_again(user: User) -> None:
    """One bad start is no reason to give up: the next one serves."""
    assert ask(user, "pid", endpoint="clumsy")[0] == 200
    assert "exit code 3" in story(user, "clumsy")
