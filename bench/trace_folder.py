"""Where is a trace, in the folder that `--data` names? The folder of all traces and the trace's own both do."""

import sys
from pathlib import Path


def trace_folder(data: Path, name: str, *files: str) -> Path:
    """The folder of the trace `name`, with a file for each of the patterns in `files`; ends where there is none."""
    for folder in (data / name, data):
        if all(any(folder.glob(pattern)) for pattern in files):
            return folder
    print(f"no {', '.join(files)} in {data}, nor in {data / name}", file=sys.stderr)
    sys.exit(2)
