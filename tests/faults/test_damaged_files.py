"""Any file of the data folder may be damaged. Then Weyr either says which, and what to do, or mends it by itself;
what it kept elsewhere is never lost with it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from weyr.access.audit import AuditLog
from weyr.compose.local import Weyr, open_weyr
from weyr.core.capability import Capability, NoticeBody, TaskBody, Wanted
from weyr.core.diagnostic import UserError
from weyr.core.ref import Ref, ThingId
from weyr.core.routes import RouteBody
from weyr.core.schema import to_plain
from weyr.core.seen import Absent, Present, Unknown
from weyr.server.troubles import as_user_errors
from weyr.store import kernel
from weyr.store.kernel import StackRow

NOW = 1_795_600_000.0
SECRET, VALUE = Ref("digits", "secret", "hub"), b"do not tell"
NOTICE = ThingId.parse("digits:budget/month#1")
ROUTE = ThingId.parse("digits:endpoint/sorter#route")
TASK = "digits%3Ajob%2Ftrain%231"
THING = ThingId.parse("digits:job/train#1")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(max(600, path.stat().st_size)))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def unreadable(path: Path) -> None:
    """A link to itself cannot be opened, by root neither."""
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": empty,
    "cut in half": half,
    "garbage": garbage,
    "a folder": folder,
    "unreadable": unreadable,
}
REFUSED = "it is said so"
MENDED = "it is mended"
FILES = {
    "store.db": REFUSED,
    "keys/master": REFUSED,
    "admin.token": REFUSED,
    "ports.json": REFUSED,
    "credentials.json": MENDED,
    "routes.json": MENDED,
    "run/server.json": MENDED,
    "run/s3.json": MENDED,
    "run/launcher.json": MENDED,
    "audit/server.jsonl": MENDED,
    f"tasks/{TASK}/wanted.json": MENDED,
    f"tasks/{TASK}/exit.json": MENDED,
    "tasks/.archive/digits%3Ajob%2Fold%231/exit.json": MENDED,
    "notices/digits%3Abudget%2Fmonth%231.json": MENDED,
}
EXCEPTIONS = {
    ("credentials.json", "a folder"): REFUSED,
    ("credentials.json", "unreadable"): MENDED,
    ("audit/server.jsonl", "a folder"): REFUSED,
    ("audit/server.jsonl", "unreadable"): REFUSED,
}
"""What cannot be written over either is said."""


SILENT = {
    ("routes.json", "a folder"),
    ("routes.json", "unreadable"),
    (f"tasks/{TASK}/wanted.json", "unreadable"),
    (f"tasks/{TASK}/exit.json", "unreadable"),
    (f"tasks/{TASK}/exit.json", "a folder"),
}
"""What may be readable again in a moment is not overwritten: nothing is known of its thing, and its condition says why.
"""


def opened(home: Path) -> Weyr:
    """As the server opens it. Raises: UserError."""
    with as_user_errors(home):
        AuditLog(home / "audit", "server").close()
        return open_weyr(home, lambda: NOW, _quiet, is_serving=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in use: a stack, a secret, a notice, a route, an ended task and one that is archived."""
    home = tmp_path_factory.mktemp("whole") / "home"
    weyr = opened(home)
    with weyr.db.write() as connection:
        kernel.put_stack(connection, StackRow("digits", "p1", "local", "weyr.yaml", False, NOW))
    weyr.secrets.set(SECRET.stack, SECRET.name, VALUE)
    effects = weyr.loop.effects
    effects.ensure([(Capability.NOTICES, Wanted(NOTICE, 1, NoticeBody("half of it is spent")))])
    effects.ensure([(Capability.TRAFFIC, Wanted(ROUTE, 1, RouteBody("digits/sorter")))])
    task, old = home / "tasks" / TASK, home / "tasks" / ".archive" / "digits%3Ajob%2Fold%231"
    for place in (task, old):
        place.mkdir(parents=True)
        (place / "exit.json").write_text(json.dumps({"reason": "succeeded", "ended_at": NOW}))
    (task / "begun.json").write_text("{}")
    body = to_plain(TaskBody, TaskBody(("true",), "/"))
    claim = {"id": "digits:job/train#1", "generation": 1, "body": body, "socket": "", "secret_folder": ""}
    (task / "wanted.json").write_text(json.dumps(claim))
    for name in ("server", "s3", "launcher"):
        (home / "run" / f"{name}.json").write_text(json.dumps({"pid": 1, "started": 1, "port": 1, "url": ""}))
    (home / "audit" / "server.jsonl").write_text('{"at": 1.0, "process": "server"}\n')
    weyr.close()
    return home


@pytest.fixture
def home(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "home", symlinks=True))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_told_of_or_mended(home: Path, file: str, damage: str) -> None:
    """Empty, cut off, overwritten, replaced by a folder, not to be opened: one file after the other."""
    before = (home / file).read_bytes()
    DAMAGES[damage](home / file)
    if EXCEPTIONS.get((file, damage), FILES[file]) == REFUSED:
        with pytest.raises(UserError) as refused:
            opened(home)
        (diagnostic,) = refused.value.diagnostics
        assert str(home / file) in str(diagnostic), diagnostic
        assert diagnostic.suggestion, diagnostic
        put_back(home / file, before)
    weyr = opened(home)
    try:
        assert [row.name for row in weyr.world.stacks.values()] == ["digits"], "what was wanted is still known"
        assert weyr.secrets.read(SECRET) == VALUE
        known = json.loads((home / "credentials.json").read_text())["tokens"]
        assert known, "callers are known again"
        seen = weyr.loop.effects.observe([(Capability.TASKS, THING), (Capability.TRAFFIC, ROUTE)])
        told = weyr.loop.effects.ensure([(Capability.TRAFFIC, Wanted(ROUTE, 2, RouteBody("digits/sorter")))])
        if (file, damage) in SILENT:
            assert any(isinstance(found, Unknown) and file in found.reason for found in seen.values()), seen
        else:
            assert isinstance(seen[THING], Present | Absent), seen
            assert told[ROUTE].is_accepted, told
    finally:
        weyr.close()


def put_back(path: Path, content: bytes) -> None:
    """As a user does from a backup."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


def test_a_store_that_is_gone_is_no_new_one(home: Path) -> None:
    """An empty store would own nothing, so everything that runs and is stored would be swept away as nobody's."""
    (home / "store.db").unlink()
    with pytest.raises(UserError, match="The store is lost"):
        opened(home)


def _quiet(_event: str, /, **_fields: object) -> None:
    """What is logged is not what is tried here."""
