"""With so many replicas, which share of the requests is late or dropped?"""

import math
from dataclasses import dataclass

from weyr.scheduling.scaling.values import Load

# More servers than this are counted in groups of which each works as fast as all its servers together: the waits of
# large crowds differ little, and the time taken stays bounded.
SERVERS_MAX = 512
# A request is late once its wait and its own work exceed the target; work that takes longer than its mean is what most
# late ones have, so this many means are set aside for it.
WORK_SET_ASIDE = 1.3


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of one endpoint: how many requests of some time to come are late, by the number of replicas."""

    load: Load
    service_s: float
    target_s: float

    def late(self, rate: float, queued: float, for_s: float, most: int) -> list[float]:
        """For 0, 1, ... `most` replicas, how many are late of those that come at `rate` for `for_s`.

        What waits already makes all late that find too much of it before them, until it is worked off.
        """
        load = self.load
        shares = shares_late(rate, self.service_s, self.target_s, load.queue_max, load.concurrency, most)
        spare_s = max(0.0, self.target_s - WORK_SET_ASIDE * self.service_s)
        late = []
        for replicas, share in enumerate(shares):
            speed = replicas * load.concurrency / self.service_s
            too_much = queued - min(load.queue_max / 2, spare_s * speed)
            if too_much > 0:
                off_s = min(for_s, too_much / (speed - rate)) if speed > rate else for_s
                share += (1 - share) * off_s / for_s
            late.append(rate * for_s * share)
        return late

    def left(self, rate: float, queued: float, for_s: float, replicas: int) -> float:
        """What waits afterwards."""
        grown = (rate - replicas * self.load.concurrency / self.service_s) * for_s
        return min(self.load.queue_max, max(0.0, queued + grown))


def shares_late(
    rate: float, service_s: float, target_s: float, queue_max: int, concurrency: int, most: int
) -> list[float]:
    """For 0, 1, ... `most` replicas, the share of requests that is late or dropped in a steady state.

    Takes `rate` in requests per second. A queue of `queue_max` is served first come, first served.
    Gives `most` + 1 shares from 0 to 1; never more with one more replica.
    Source: the states of an M/M/c/K queue; Erlang's loss formula by its recursion, in which the states of more than c
    requests follow as a geometric series.
    """
    if rate <= 0:
        return [0.0] * (most + 1)
    group = max(1, math.ceil(most * concurrency / SERVERS_MAX))
    per_replica = max(1, round(concurrency / group))
    service_s = service_s * per_replica / concurrency
    offered = rate * service_s
    spare_s = max(0.0, target_s - WORK_SET_ASIDE * service_s)
    shares, blocked = [1.0], 1.0
    for servers in range(1, most * per_replica + 1):
        blocked = offered * blocked / (servers + offered * blocked)
        if servers % per_replica == 0:
            late = _late(offered / servers, blocked, servers, spare_s * servers / service_s, queue_max)
            shares.append(min(shares[-1], late))
    return shares


def _late(load: float, blocked: float, servers: int, waits_in_time: float, queue_max: int) -> float:
    """The share that finds more than `waits_in_time` before it, or no room."""
    if blocked < 1e-12:
        return 0.0
    if load > 1 and queue_max * math.log(load) > 600:
        return 1.0
    late_from = min(queue_max, int(waits_in_time) + 1)
    if abs(load - 1) < 1e-9:
        all_waiting, late = float(queue_max + 1), float(queue_max - late_from + 1)
    else:
        last = load ** (queue_max + 1)
        all_waiting, late = (last - 1) / (load - 1), (last - load**late_from) / (load - 1)
    # Relative to the state in which every server is busy and nobody waits.
    return min(1.0, late / ((1 / blocked - 1) + all_waiting))
