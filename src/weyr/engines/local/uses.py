"""What did the planes of this machine count of each thing? Read from the files that they count in, dead or alive."""

import time
from collections.abc import Callable
from pathlib import Path

from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import ThingId
from weyr.wire.counters import Counted, Key, fold, read_counts

SHOW_EVERY_S = 30.0
"""How often what stands is read again: each change that is shown is written by the ledger."""


class Uses:
    """What was counted, by thing and since when it is there. Takes the planes' folder; None: nobody counts.

    Files of planes that are no more are put together on the way; `is_needed` says which things are still there.
    One thread at a time.
    """

    def __init__(self, folder: Path | None, is_needed: Callable[[Key], bool], show_every_s: float) -> None:
        self._folder, self._is_needed, self._show_every_s = folder, is_needed, show_every_s
        self._known: dict[Key, Counted] = {}
        self._read_at = float("-inf")

    def of(self, thing: ThingId, since: float) -> Counted | None:
        """What was counted of one that stands, a while ago; None where nobody has begun to. Raises: EngineSilent."""
        self._read(self._show_every_s)
        return self._known.get((str(thing), since))

    def last(self, thing: ThingId) -> tuple[float, Counted] | None:
        """Of one that is gone: since when it was there, and its last reading. None where nothing was ever counted.

        Raises: EngineSilent where it is not the last, because a process that lives may count more.
        """
        self._read(0.0)
        lives = {since: counted for (name, since), counted in self._known.items() if name == str(thing)}
        if any(counted.is_open for counted in lives.values()):
            raise EngineSilent("requests that were under way are still being answered")
        since = max(lives, default=None)
        return None if since is None else (since, lives[since])

    def since(self, thing: ThingId, now: float) -> float:
        """When one that comes now came to be: later than any before it, also where the clock was set back."""
        try:
            self._read(0.0)
        except EngineSilent:
            return now  # the clock is enough, unless it was set back
        return max([now, *(since + 0.001 for name, since in self._known if name == str(thing))])

    def forget(self) -> None:
        """What was read is too old for whoever asks next. From any thread."""
        self._read_at = float("-inf")

    def _read(self, age_s: float) -> None:
        now = time.monotonic()
        if self._folder is None or now - self._read_at < age_s:
            return
        try:
            fold(self._folder, self._is_needed, time.time())
            self._known = dict(read_counts(self._folder))
        except (OSError, ValueError) as e:
            raise EngineSilent(f"what was counted in {self._folder} cannot be read: {e}") from e
        self._read_at = now
