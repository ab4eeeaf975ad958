"""What time is it in a simulated world? What somebody set it to."""


class VirtualClock:
    """Unix seconds that pass only when told. Calling it answers as `time.time` would."""

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        """Lets time pass; gives the new now."""
        assert seconds >= 0, "time does not run backwards"
        self._now += seconds
        return self._now
