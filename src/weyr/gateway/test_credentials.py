"""The planes know exactly who credentials.json says may call, as it changes."""

import hashlib
import json
import os
from pathlib import Path

from weyr.gateway.audit import AuditTrail
from weyr.gateway.credentials import CHECK_EVERY_S, Credentials


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def written(path: Path, keys: dict[str, dict[str, str]], token: str = "t") -> None:
    text = json.dumps(
        {
            "generation": 1,
            "principals": {"admin": {"grants": ["*"]}},
            "tokens": {hashlib.sha256(token.encode()).hexdigest(): "admin"},
            "keys": keys,
        }
    )
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def test_a_key_and_a_token_name_their_principal(tmp_path: Path) -> None:
    """A caller is who the file says; anyone else is nobody."""
    path = tmp_path / "credentials.json"
    written(path, {"AK": {"secret": "s", "principal": "admin"}})
    credentials = Credentials(path, Clock())

    found = credentials.key("AK")
    assert found is not None
    assert (found[0], found[1].name, found[1].grants) == ("s", "admin", ("*",))
    assert credentials.token("t") == found[1]
    assert credentials.key("other") is None
    assert credentials.token("other") is None


def test_a_revoked_key_stops_within_the_check_interval(tmp_path: Path) -> None:
    """A task that ended may not go on calling with its key."""
    path, clock = tmp_path / "credentials.json", Clock()
    written(path, {"AK": {"secret": "s", "principal": "admin"}})
    credentials = Credentials(path, clock)
    assert credentials.key("AK")

    written(path, {})
    clock.now += CHECK_EVERY_S
    assert credentials.key("AK") is None


def test_no_file_knows_nobody_and_a_broken_one_keeps_the_last_answer(tmp_path: Path) -> None:
    """A hand edit that breaks the file must not lock out every running task."""
    path, clock = tmp_path / "credentials.json", Clock()
    credentials = Credentials(path, clock)
    assert credentials.key("AK") is None

    written(path, {"AK": {"secret": "s", "principal": "admin"}})
    clock.now += CHECK_EVERY_S
    assert credentials.key("AK")

    path.write_text("{ not json")
    clock.now += CHECK_EVERY_S
    assert credentials.key("AK")
    assert credentials.problem


def test_a_refusal_is_one_json_line(tmp_path: Path) -> None:
    """The trail says who was refused what, and why."""
    trail = AuditTrail(tmp_path / "s3.jsonl", "s3", lambda: 12.5)
    trail.refused("task:x", "s3:read", "lake/a", "not granted")
    trail.refused("", "s3:list", "lake/", "unknown key")
    trail.close()

    lines = [json.loads(line) for line in (tmp_path / "s3.jsonl").read_text().splitlines()]
    assert [(e["principal"], e["allowed"], e["reason"]) for e in lines] == [
        ("task:x", False, "not granted"),
        ("", False, "unknown key"),
    ]
    assert (tmp_path / "s3.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_trail_of_several_processes_is_moved_aside_once(tmp_path: Path) -> None:
    """Nothing that one of them wrote is lost when another finds the file too long."""
    path = tmp_path / "s3.jsonl"
    trails = [AuditTrail(path, f"worker-{n}", lambda: 1.0, rotate_at_bytes=4_000) for n in range(3)]
    moved = 0
    for n in range(300):
        trails[n % 3].refused("somebody", "s3:read", f"lake/{n}", "not granted")
        if (aside := path.with_name("s3.jsonl.1")).exists() and aside.stat().st_size > 4_000:
            moved += 1
            kept = [json.loads(line)["resource"] for line in aside.read_text().splitlines()]
            kept += [json.loads(line)["resource"] for line in path.read_text().splitlines()] if path.exists() else []
            assert kept == [f"lake/{i}" for i in range(n + 1 - len(kept), n + 1)]
    assert moved > 100
    for trail in trails:
        trail.close()


def test_a_key_that_is_new_is_known_at_once(tmp_path: Path) -> None:
    """Whoever is told of a new key may ask any process with it, and none may say that it is unknown."""
    clock, path = Clock(), tmp_path / "credentials.json"
    written(path, {"AK": {"secret": "s", "principal": "admin"}})
    credentials = Credentials(path, clock)
    assert credentials.key("AK")
    assert credentials.key("NEW") is None

    written(path, {"NEW": {"secret": "s", "principal": "admin"}}, token="n")

    assert credentials.key("NEW")
    assert credentials.token("n")
