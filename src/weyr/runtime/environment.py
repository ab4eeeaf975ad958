"""Which packages does a program of ours find that loads somebody's code? Those of the environment made for its task."""

import os
import site
import sys


def use_environment() -> None:
    """What is installed in the task's environment, if it has one, goes before what is installed with Weyr."""
    environment = os.environ.get("VIRTUAL_ENV")
    if not environment:
        return
    before = len(sys.path)
    site.addsitedir(f"{environment}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages")
    sys.path[:] = sys.path[before:] + sys.path[:before]
