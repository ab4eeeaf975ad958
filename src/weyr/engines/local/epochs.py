"""May this server still tell us what to do? Only one of the newest epoch that this data folder has seen.

A server that was stopped and goes on later may have a request under way that it decided on long ago. Its successor
writes its own epoch into the folder before it acts; whoever asks with a lower one is refused from then on.
Standard library only: the launcher imports this.
"""

import os

FILE = "epoch"


def read_epoch(folder: str) -> int:
    """The newest epoch of a folder; 0 where no lease was ever held. Raises: OSError, ValueError."""
    try:
        with open(os.path.join(folder, FILE)) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def write_epoch(folder: str, epoch: int) -> None:
    """Keeps the newest epoch, durably. It never goes back. Raises: OSError, ValueError."""
    if epoch <= read_epoch(folder):
        return
    temporary = os.path.join(folder, f".{FILE}.{os.getpid()}.tmp")
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(str(epoch))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, os.path.join(folder, FILE))
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Epochs:
    """What an engine's process remembers: the highest epoch it was asked with, or found in its folder."""

    def __init__(self, folder: str) -> None:
        self._folder, self._highest = folder, 0

    def refusal(self, epoch: int) -> str:
        """Why a server of this epoch may not act; nothing where it may."""
        try:
            self._highest = max(self._highest, epoch, read_epoch(self._folder))
        except (OSError, ValueError) as e:
            return f"the newest epoch cannot be read: {e}"
        if epoch >= self._highest:
            return ""
        return f"epoch {epoch} is over: a server of epoch {self._highest} acts now"
