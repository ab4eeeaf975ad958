"""May this server still steer a plane? Only one of the newest epoch that the data folder has seen.

A server that was stopped and goes on later may send what it decided on long ago. Its successor writes its own epoch
into the folder before it acts; whoever asks with a lower one is refused from then on.
"""

from pathlib import Path

HEADER = "X-Weyr-Epoch"


class Epochs:
    """What a plane remembers: the highest epoch it was asked with, or found in the folder's file."""

    def __init__(self, file: Path) -> None:
        self._file, self._highest = file, 0

    def refusal(self, said: str) -> str:
        """Why a server that says this of itself may not act; nothing where it may. Without a lease it says nothing."""
        try:
            epoch = int(said or 0)
            kept = int(self._file.read_text()) if self._file.exists() else 0
        except (OSError, ValueError) as e:
            return f"the epoch cannot be read: {e}"
        self._highest = max(self._highest, epoch, kept)
        if epoch >= self._highest:
            return ""
        return f"epoch {epoch} is over: a server of epoch {self._highest} acts now"
