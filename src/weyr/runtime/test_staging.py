"""Inputs lie in folders before a program begins, and outputs in a bucket once it has succeeded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def staged(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with an input and an output, both in a bucket that is a folder."""
    bucket = tmp_path / "bucket"
    (bucket / "data" / "deep").mkdir(parents=True)
    (bucket / "data" / "a.txt").write_text("one")
    (bucket / "data" / "deep" / "b.txt").write_text("two")
    (bucket / "database").write_text("not below the prefix")
    words = [
        sys.executable, "-m", "weyr.runtime.staging", "--input", f"{tmp_path}/in=file://{bucket}",
        "--output", f"{tmp_path}/out=file://{bucket}", "--", sys.executable, "-c", code,
    ]  # fmt: skip
    return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=os.environ, check=False)


COPIES = "import shutil; shutil.copytree('in/data', 'out/results')"
ENDS = {
    "it succeeds": (COPIES, 0, True),
    "it fails": (f"{COPIES}; raise SystemExit(3)", 3, False),
    "it is killed": (f"{COPIES}; import os; os.kill(os.getpid(), 15)", -15, False),
}


@pytest.mark.parametrize("case", ENDS)
def test_outputs_are_those_of_a_program_that_succeeded(case: str, tmp_path: Path) -> None:
    """Half a result is never taken for one, and the program's own end is what is seen of it."""
    code, status, is_kept = ENDS[case]

    done = staged(tmp_path, code)

    assert done.returncode == status, done.stderr
    assert (tmp_path / "in" / "data" / "deep" / "b.txt").read_text() == "two"
    assert (tmp_path / "bucket" / "results" / "deep" / "b.txt").exists() is is_kept
