"""What every end-to-end test begins with: a user with an empty data folder, who leaves nothing behind."""

import fcntl
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

import pytest
from one_user import User, free_port, until

HERE = Path(__file__).parent


@contextmanager
def a_user(prefix: str = "w-") -> Iterator[User]:
    """A user who takes everything down in the end; what stays then is a failure."""
    root = Path(tempfile.mkdtemp(prefix=prefix))
    user = User(root / "h", root / "w")
    user.folder.mkdir()
    user.home.mkdir(mode=0o700)
    # Given by hand: the usual port is one for all, and what this test lets go of another could take meanwhile.
    (user.home / "ports.json").write_text(json.dumps({"server": free_port()}))
    try:
        yield user
        take_down(user)
        until(lambda: not user.remains(), "nothing to be left", 5) if user.remains() else None
    finally:
        user.end_everything()
        rmtree(root)


def take_down(user: User) -> None:
    """Removes every stack, and ends a server that was started by hand."""
    for (stack,) in user.rows("SELECT name FROM stacks"):
        user.weyr("down", "--stack", stack, "--yes")
    user.weyr("server", "stop")


@pytest.fixture
def user() -> Iterator[User]:
    with a_user() as made:
        yield made


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scikit-learn model in MLflow's layout, made once for all workers of a test run."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if shared.name.startswith("popen-") else shared
    folder = shared / "e2e-model"
    with (shared / "e2e-model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            subprocess.run([sys.executable, str(HERE / "write_model.py"), str(folder)], check=True)
    return folder
