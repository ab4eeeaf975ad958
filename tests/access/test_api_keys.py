"""What holds of API keys, whoever changes them and whatever else is down?"""

import json
from pathlib import Path

import pytest

from weyr.access.api_keys import KeyRing, digest_of
from weyr.core.api_keys import ADMIN, CALL, READ
from weyr.core.diagnostic import UserError
from weyr.core.grants import Principal
from weyr.core.limits import Limits
from weyr.gateway.credentials import Credentials
from weyr.gateway.inference.callers import Callers, may


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, clock: Clock) -> KeyRing:
    return KeyRing(tmp_path / "api-keys.json", tmp_path / "audit", clock)


@pytest.fixture
def callers(tmp_path: Path, clock: Clock) -> Callers:
    return Callers(Credentials(tmp_path / "credentials.json"), tmp_path / "api-keys.json", clock, clock)


def who(callers: Callers, word: str) -> Principal | None:
    caller = callers.caller(word)
    return caller.principal if caller else None


def test_a_key_is_known_to_the_plane_at_once_and_revoked_within_a_second(
    ring: KeyRing, callers: Callers, clock: Clock
) -> None:
    """No server takes part: what the command wrote, the plane reads."""
    key, word = ring.create(("digits/chat",), ("infer",), Limits(concurrency=3), "high")
    caller = callers.caller(word)
    assert caller
    assert (caller.principal.name, caller.limits.concurrency, caller.priority_max) == (f"key:{key.id}", 3, 2)
    ring.revoke(key.id)
    clock.now += 1.0
    assert who(callers, word) is None


@pytest.mark.parametrize(("scope", "allowed"), [("infer", (CALL, READ)), ("metadata", (READ,)), ("admin", (ADMIN,))])
def test_a_scope_allows_what_it_says_and_only_at_its_endpoints(
    ring: KeyRing, callers: Callers, scope: str, allowed: tuple[str, ...]
) -> None:
    """A key in a dashboard that lists models cannot run up a bill, and one for chatting cannot unload the model."""
    _, word = ring.create(("digits/chat",), (scope,))
    principal = who(callers, word)
    assert principal
    assert tuple(action for action in (CALL, READ, ADMIN) if may(principal, action, "digits/chat")) == allowed
    assert not any(may(principal, action, "digits/chatter") for action in (CALL, READ, ADMIN))


def test_a_key_ends_when_it_was_said_to(ring: KeyRing, callers: Callers, clock: Clock) -> None:
    """A key for a trial of a month needs nobody who remembers to take it back."""
    key, word = ring.create(("*",), ("infer",), lasts_s=60)
    assert who(callers, word)
    clock.now += 60
    assert who(callers, word) is None
    ring.expire(key.id, 60)
    clock.now += 1
    assert who(callers, word)


def test_a_rotated_key_keeps_its_limits_and_its_old_word_for_the_overlap(
    ring: KeyRing, callers: Callers, clock: Clock
) -> None:
    """A program is given its new key while the old one still works; after that the old one is worth nothing."""
    key, old = ring.create(("*",), ("infer",), Limits(burst=7))
    fresh, new = ring.rotate(key.id, overlap_s=60)
    assert fresh.limits == key.limits
    clock.now += 1
    assert who(callers, old) == who(callers, new) == key.principal
    clock.now += 60
    assert who(callers, old) is None
    assert who(callers, new)
    assert ring.rotate(key.id)[0].former_sha256 == ""


def test_nothing_that_opens_a_door_is_kept(ring: KeyRing, tmp_path: Path) -> None:
    """A copy of the data folder, or of a backup, calls nobody's models; and others on the machine cannot read it."""
    key, word = ring.create(("*",), ("infer",))
    file = tmp_path / "api-keys.json"
    assert word not in file.read_text()
    assert digest_of(word) == key.sha256
    assert file.stat().st_mode & 0o777 == 0o600
    assert word not in repr(ring.keys())


def test_every_change_is_in_the_audit_trail(ring: KeyRing, tmp_path: Path) -> None:
    """Who asks later how a key came to be, or why it stopped, finds it."""
    key, _ = ring.create(("digits/chat",), ("infer", "metadata"))
    ring.rotate(key.id)
    ring.expire(key.id, 5)
    ring.revoke(key.id)
    lines = [json.loads(line) for line in (tmp_path / "audit" / "keys.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["key:create", "key:rotate", "key:expire", "key:revoke"]
    assert {line["resource"] for line in lines} == {f"key:{key.id}"}
    assert lines[0]["reason"] == "infer+metadata on digits/chat"


def test_a_damaged_file_is_said_so_and_changes_nothing(
    ring: KeyRing, callers: Callers, clock: Clock, tmp_path: Path
) -> None:
    """A slip of the editor locks nobody out, and is not written over."""
    _, word = ring.create(("*",), ("infer",))
    assert who(callers, word)
    (tmp_path / "api-keys.json").write_text('{"keys": [{"id": 3}]}')
    clock.now += 1
    assert who(callers, word)
    assert "api-keys.json" in callers.problem
    with pytest.raises(UserError, match="cannot be read"):
        ring.create(("*",), ("infer",))
    assert (tmp_path / "api-keys.json").read_text() == '{"keys": [{"id": 3}]}'


def test_what_is_not_there_cannot_be_revoked(ring: KeyRing) -> None:
    """A mistyped id is not taken for a key that is now safe."""
    with pytest.raises(UserError, match='no API key "nobody"'):
        ring.revoke("nobody")
