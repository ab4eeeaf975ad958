"""What does an install of Weyr bring? All that lies below src/weyr but its tests."""

import subprocess
import sys
from pathlib import Path

from project_tree import ROOT


def test_an_install_brings_everything_but_tests(tmp_path: Path) -> None:
    """A file that is left out is missed on a user's machine only; tests are for who changes Weyr."""
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    command += ["build_py", "--build-lib", str(tmp_path / "built")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)

    built = _files(tmp_path / "built" / "weyr")
    assert built == {name for name in _files(ROOT / "src" / "weyr") if not Path(name).name.startswith("test_")}


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)) for path in paths}
