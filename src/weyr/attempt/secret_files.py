"""Where do a task's secret files lie while it runs? In a folder of memory, gone with the task.

Standard library only: the wrappers import this.
"""

import os
import shutil


def write_secret_files(folder: str, files: dict[str, str]) -> None:
    """Takes file names and values; nothing is done without a folder. Raises: OSError."""
    if not folder:
        return
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name, value in files.items():
        fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(value.encode(errors="surrogateescape"))


def remove_secret_files(folder: str) -> None:
    """Removes the folder and all that is in it; one that is not there is as good. Raises: OSError."""
    if folder and os.path.isdir(folder):
        shutil.rmtree(folder)
