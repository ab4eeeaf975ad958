"""What does a command's exit status say?

Standard library only: the wrappers import this.
"""

import os
import signal


def outcome(status: int | None) -> tuple[int | None, int | None]:
    """The command's exit code, or the signal that killed it; neither for one that never ended."""
    if status is None:
        return None, None
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status), None
    return None, os.WTERMSIG(status)


def verdict(status: int | None) -> tuple[str, str]:
    """Reason and detail of an end that nobody but the command itself brought about."""
    code, number = outcome(status)
    if status is None:
        return "lost", "its wrapper failed; see the launcher's log"
    if code == 0:
        return "succeeded", ""
    if number is not None:
        return "failed", f"it was killed by {signal.Signals(number).name}"
    return "failed", f"it ended with exit code {code}"
