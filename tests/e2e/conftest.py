"""What every end-to-end test begins with: a user with an empty data folder, who leaves nothing behind."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_user import User
from user_life import a_user

HERE = Path(__file__).parent


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
