"""The autoscaler is a part that others take without the rest."""

import subprocess
import sys


def test_the_autoscaler_is_imported_alone() -> None:
    """An evaluator, or another autoscaler's maker, takes it without the rest of Weyr and what that stands on."""
    code = (
        "import sys, weyr.scheduling.scaling; print(*(n for n in sys.modules if n.startswith(('weyr.', 'pydantic'))))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    modules = [name for name in out.split() if not name.startswith("weyr.scheduling.scaling")]
    assert modules == ["weyr.scheduling"]
