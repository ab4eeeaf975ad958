"""What a launcher has loaded, every process that it forks pays for."""

import subprocess
import sys
from pathlib import Path

LAUNCHER = Path(__file__).parents[2] / "src" / "weyr" / "engines" / "local" / "launcher.py"


def test_a_launcher_loads_no_threads() -> None:
    """Python's threading acts in each process that is forked: two for a task, each a fifth dearer by the pages it
    copies. subprocess brings it."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='looked at'); print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code, str(LAUNCHER)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert "weyr.attempt.wrapper" in loaded
    assert not {"threading", "subprocess"} & set(loaded)
