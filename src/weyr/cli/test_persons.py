"""As whom does a verb speak? What the environment says goes before a login, a login before the data folder's own."""

import stat
from pathlib import Path

import pytest

from weyr.cli.persons import Logins, Person, address_of, keep, logins_of, person_of
from weyr.core.diagnostic import UserError

HERE, THERE = "http://127.0.0.1:8630", "https://weyr.example.org"
KEPT = Logins(THERE, {THERE: "weyr_there", HERE: "weyr_here"})
IN_TURN: dict[str, tuple[dict[str, str], Logins, tuple[str, str] | None]] = {
    "nobody said anything": ({}, Logins(), None),
    "the last login": ({}, KEPT, (THERE, "weyr_there")),
    "a login at the address that is named": ({"WEYR_API_URL": f"{HERE}/"}, KEPT, (HERE, "weyr_here")),
    "a token goes before a login": ({"WEYR_TOKEN": "weyr_x"}, KEPT, (THERE, "weyr_x")),
    "a token and an address": ({"WEYR_TOKEN": "weyr_x", "WEYR_API_URL": HERE}, Logins(), (HERE, "weyr_x")),
    "an address alone is nobody's": ({"WEYR_API_URL": HERE}, Logins(), None),
    "what weyr env prints is the administrator's own": (
        {"WEYR_TOKEN": "weyr_admin", "WEYR_API_URL": HERE}, Logins(), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "kept", "found"), IN_TURN.values(), ids=IN_TURN.keys())
def test_who_is_meant(tmp_path: Path, environ: dict[str, str], kept: Logins, found: tuple[str, str] | None) -> None:
    """A verb never acts as somebody else than the one who typed it thinks."""
    (tmp_path / "admin.token").write_text("weyr_admin\n")
    keep(tmp_path, kept)
    person = person_of(tmp_path, environ)
    assert found == (person and (person.url, person.token))


def test_a_token_without_a_server_is_asked_about(tmp_path: Path) -> None:
    """It is not tried at whatever happens to listen."""
    with pytest.raises(UserError, match="Which server"):
        person_of(tmp_path, {"WEYR_TOKEN": "weyr_x"})


def test_logins_are_for_their_owner_alone(tmp_path: Path) -> None:
    """A file that others could read is refused, and no token is ever printed by chance."""
    home = tmp_path / "new"
    keep(home, KEPT)
    file = home / "logins.json"
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(home.stat().st_mode)) == (0o600, 0o700)
    assert logins_of(home) == KEPT
    assert logins_of(home).without(THERE) == Logins("", {HERE: "weyr_here"})
    assert "weyr_" not in repr(KEPT) + repr(Person(HERE, "weyr_x", "WEYR_TOKEN"))
    file.write_text("{}")
    with pytest.raises(UserError, match="Logins cannot be read"):
        logins_of(home)
    file.chmod(0o644)
    with pytest.raises(UserError, match="File is not private"):
        person_of(home, {})


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "http://x:99999", "http://x/cost", "http://x:y"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Before a token is sent to it."""
    with pytest.raises(UserError, match="Not an address"):
        address_of(text)


def test_addresses_of_one_server_are_one() -> None:
    """With a path's end, without a scheme, in IPv6."""
    assert address_of("http://h:1/") == address_of("h:1") == address_of("http://h:1") == "http://h:1"
    assert address_of("http://[::1]:8630") == "http://[::1]:8630"
