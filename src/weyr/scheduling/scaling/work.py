"""How long does a replica work on a request? Learnt from those that ended, and from those that have not yet."""

from dataclasses import dataclass

from weyr.scheduling.scaling.hearing import Heard

# About the last five ticks of ten seconds count.
MEMORY_S = 50.0
# Where so many times more end in a tick than are being worked on at its end, what ended says all.
SHORT = 10
# Nor where a tick is so many times longer than what ended: what is being worked on then is mostly what came last.
LONG = 8


@dataclass(slots=True)
class Work:
    """What one endpoint's requests take; `service_s` is None until something is known."""

    service_s: float | None = None
    mean_s: float | None = None
    in_flight: float | None = None
    ended: float = 0.0

    def learn(self, heard: Heard, tick_s: float) -> None:
        """Of long requests the short ones end first: there Little's law, over all that are worked on, is nearer."""
        gain = tick_s / (tick_s + MEMORY_S - 10.0)
        if heard.service_s is not None:
            self.mean_s = _nearer(self.mean_s, heard.service_s, gain)
        self.ended = heard.ended if self.in_flight is None else _nearer(self.ended, heard.ended, gain)
        self.in_flight = _nearer(self.in_flight, heard.in_flight, gain)
        self.service_s = self.mean_s
        is_long = self.mean_s is not None and (self.mean_s * LONG > tick_s or self.ended < self.in_flight)
        if self.mean_s is not None and is_long and self.ended < SHORT * self.in_flight:
            self.service_s = max(self.mean_s, tick_s * self.in_flight / max(1.0, self.ended))


def _nearer(old: float | None, new: float, gain: float) -> float:
    return new if old is None else old + gain * (new - old)
