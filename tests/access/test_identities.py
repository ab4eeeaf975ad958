"""Who may call: tokens that are never stored, and a file of credentials that is never half."""

import hashlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from weyr.access.credentials import admin_credentials
from weyr.access.identities import Access
from weyr.core.diagnostic import UserError
from weyr.core.grants import Principal
from weyr.store.database import Database

TASK = "task:digits:job/train#2"
GRANTS = ("s3:read:digits-lake/*", "s3:write:digits-lake/checkpoints/*")


def access_of(db: Database, home: Path) -> Access:
    return Access(db, home, now=lambda: 1_000.0, random=os.urandom)


def published(home: Path) -> dict[str, Any]:
    document = json.loads((home / "credentials.json").read_text())
    assert isinstance(document, dict)
    return document


def test_the_first_start_makes_an_admin_token_only_we_can_read(db: Database, home: Path) -> None:
    """The token is everything: nobody else on the machine may see it."""
    access = access_of(db, home)
    file = home / "admin.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() == access.admin.token
    assert access.authenticate(access.admin.token) == Principal("admin", ("*",))
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600


def test_the_next_start_keeps_the_token_and_the_keys(db: Database, home: Path) -> None:
    """Scripts that hold the token go on working; its S3 keys follow from it."""
    first, second = access_of(db, home).admin, access_of(db, home).admin
    assert first == second == admin_credentials(first.token)


def test_a_new_admin_token_ends_the_old_one(db: Database, home: Path) -> None:
    """Removing the file and restarting is how the token is changed."""
    old = access_of(db, home).admin
    (home / "admin.token").unlink()
    access = access_of(db, home)
    assert access.authenticate(old.token) is None
    assert old.access_key_id not in published(home)["keys"]


def test_issued_credentials_are_published_before_they_are_given_out(db: Database, home: Path) -> None:
    """A task's first request may come at once, and the plane must know it."""
    access = access_of(db, home)
    issued = access.issue({TASK: GRANTS})[TASK]
    document = published(home)
    assert document["principals"][TASK] == {"grants": list(GRANTS)}
    assert document["tokens"][hashlib.sha256(issued.token.encode()).hexdigest()] == TASK
    assert document["keys"][issued.access_key_id] == {"secret": issued.secret_access_key, "principal": TASK}
    assert access.authenticate(issued.token) == Principal(TASK, GRANTS)


def test_issuing_again_retires_what_was_issued_before(db: Database, home: Path) -> None:
    """A second start of an attempt must not leave the first one's token behind."""
    access = access_of(db, home)
    old, new = access.issue({TASK: GRANTS})[TASK], access.issue({TASK: GRANTS[:1]})[TASK]
    assert access.authenticate(old.token) is None
    assert access.authenticate(new.token) == Principal(TASK, GRANTS[:1])
    assert old.access_key_id not in published(home)["keys"]
    assert [holder.access_key_id for holder in access.holders()] == [new.access_key_id]


def test_revoking_is_published_and_may_be_repeated(db: Database, home: Path) -> None:
    """An ended task can do nothing any more, at any door."""
    access = access_of(db, home)
    issued = access.issue({TASK: GRANTS})[TASK]
    access.revoke([TASK])
    generation = published(home)["generation"]
    access.revoke([TASK])
    assert access.authenticate(issued.token) is None
    assert TASK not in published(home)["principals"]
    assert published(home)["generation"] == generation


def test_a_restart_knows_every_task_and_counts_on(db: Database, home: Path) -> None:
    """Running tasks keep their credentials over a restart, also when the file was lost."""
    access = access_of(db, home)
    issued = access.issue({TASK: GRANTS})[TASK]
    before = published(home)
    (home / "credentials.json").unlink()
    assert access_of(db, home).authenticate(issued.token) == Principal(TASK, GRANTS)
    after = published(home)
    assert after["keys"] == before["keys"]
    assert after["generation"] > before["generation"]


def test_neither_the_database_nor_a_repr_gives_anything_away(db: Database, home: Path) -> None:
    """A backup of store.db, a log line and a traceback are read by others."""
    access = access_of(db, home)
    issued = access.issue({TASK: GRANTS})[TASK]
    stored = b"".join(file.read_bytes() for file in home.glob("store.db*"))
    shown = f"{access!r} {issued!r} {access.admin!r} {access.envelope!r} {access.holders()!r}"
    for word in (issued.token, issued.secret_access_key, access.admin.token, access.admin.secret_access_key):
        assert word.encode() not in stored
        assert word not in shown


def test_strangers_are_nobody(db: Database, home: Path) -> None:
    """Also those that send nonsense."""
    access = access_of(db, home)
    for token in ("", "weyr_", "ü\udc80", "x" * 100_000):
        assert access.authenticate(token) is None


def test_a_reader_never_sees_half_a_file(db: Database, home: Path) -> None:
    """The planes read at any moment, also while many tasks start at once."""
    access = access_of(db, home)
    torn: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            try:
                json.loads((home / "credentials.json").read_bytes())
            except ValueError as e:
                torn.append(str(e))

    reader = threading.Thread(target=watch)
    reader.start()
    tasks = [threading.Thread(target=access.issue, args=({f"task:digits:job/train#{n}": GRANTS},)) for n in range(12)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    is_over.set()
    reader.join()
    assert torn == []
    assert len(published(home)["tokens"]) == 13


@pytest.mark.parametrize(
    ("content", "mode", "summary"),
    [
        (b"weyr_0123456789012345678901234567890123456789\n", 0o644, "File is not private"),
        (b"", 0o600, "The admin token cannot be used"),
        (b"short\n", 0o600, "The admin token cannot be used"),
        (b"\xff" * 64, 0o600, "The admin token cannot be used"),
    ],
)
def test_an_unfit_admin_token_is_refused(db: Database, home: Path, content: bytes, mode: int, summary: str) -> None:
    """A token that others could have read or written is not used, and not silently replaced."""
    file = home / "admin.token"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(UserError) as caught:
        access_of(db, home)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.summary == summary
    assert diagnostic.place
    assert diagnostic.place.file == str(file)
    assert diagnostic.suggestion
    assert file.read_bytes() == content


def test_a_link_or_a_folder_in_the_tokens_place_is_refused(db: Database, home: Path, tmp_path: Path) -> None:
    """Somebody who can plant a link could make us publish another file, or use a token of theirs."""
    file = home / "admin.token"
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError) as caught:
        access_of(db, home)
    assert caught.value.diagnostics[0].summary == "File cannot be read"
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError) as caught:
        access_of(db, home)
    assert caught.value.diagnostics[0].summary == "Not a plain file"


def test_many_are_issued_and_revoked_with_one_change_each(db: Database, home: Path) -> None:
    """A thousand tasks that start at once must not have the file written a thousand times."""
    access = access_of(db, home)
    before = published(home)["generation"]
    tasks = {f"task:digits:job/train#{n}": GRANTS for n in range(1200)}
    issued = access.issue(tasks)
    document = published(home)
    assert document["generation"] == before + 1
    assert {entry["principal"] for entry in document["keys"].values()} == {"admin", *tasks}
    assert access.authenticate(issued["task:digits:job/train#7"].token) == Principal("task:digits:job/train#7", GRANTS)
    access.revoke(list(tasks))
    assert list(published(home)["principals"]) == ["admin"]
    assert published(home)["generation"] == before + 2
    access.issue({})
    access.revoke([])
    assert published(home)["generation"] == before + 2
