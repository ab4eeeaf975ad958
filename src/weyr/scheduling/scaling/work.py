"""How long does a replica work on a request? Learnt from those that ended, and from those that have not yet."""

from dataclasses import dataclass

from weyr.scheduling.scaling.hearing import Heard

# About the last five ticks of ten seconds count.
MEMORY_S = 50.0
# Where so many times more end in a tick than are being worked on at its end, what ended says all.
SHORT = 10
# Nor where a tick is so many times longer than what ended: what is being worked on then is mostly what came last.
LONG = 8
# How much of a throughput at capacity is believed at once.
CROWDED_GAIN = 0.3


@dataclass(slots=True)
class Work:
    """What one endpoint's requests take; `service_s` is None until something is known."""

    service_s: float | None = None
    mean_s: float | None = None
    in_flight: float | None = None
    ended: float = 0.0
    slower: float = 1.0
    """How many times longer a request takes where all replicas are busy: some say four at once and work on one."""
    crowded: int = 0
    """As many replicas as there were, while a crowd waited; 0 where none did."""

    def learn(self, heard: Heard, tick_s: float) -> None:
        """Of long requests the short ones end first: there Little's law, over all that are worked on, is nearer."""
        gain = tick_s / (tick_s + MEMORY_S - 10.0)
        if heard.service_s is not None:
            self.mean_s = _nearer(self.mean_s, heard.service_s, gain)
        self.ended = heard.ended if self.in_flight is None else _nearer(self.ended, heard.ended, gain)
        self.in_flight = _nearer(self.in_flight, heard.in_flight, gain)
        is_crowded = heard.queued >= min(heard.queue_max / 2, SHORT * heard.replicas * heard.concurrency)
        is_long = self.mean_s is not None and (self.mean_s * LONG > tick_s or self.ended < self.in_flight)
        if self.mean_s is not None and not is_long and is_crowded and 0 < heard.replicas == self.crowded:
            took_s = heard.replicas * heard.concurrency * tick_s / max(1.0, heard.ended)
            self.slower = _nearer(self.slower, max(1.0, took_s / self.mean_s), CROWDED_GAIN)
        self.crowded = heard.replicas if is_crowded else 0
        self.service_s = self.mean_s
        if self.mean_s is not None and is_long and self.ended < SHORT * self.in_flight:
            self.service_s = max(self.mean_s, tick_s * self.in_flight / max(1.0, self.ended))
        if self.mean_s is not None:
            self.service_s = max(self.service_s or 0.0, self.mean_s * self.slower)
        elif self.in_flight > 0 and self.ended > 0:
            # Nobody says what requests take: Little's law does.
            self.service_s = tick_s * self.in_flight / self.ended


def _nearer(old: float | None, new: float, gain: float) -> float:
    return new if old is None else old + gain * (new - old)
