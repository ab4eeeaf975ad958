"""The policies that placement is measured beside, from their papers: FGD, BestFit and chance.

FGD ("Beware of Fragmentation", USENIX ATC 2023, section 4 and its authors' choices): a node's fragmentation is what
the workload's mix could not use of its free GPUs, by the very next pod; the node is taken whose fragmentation falls
most or rises least, as a whole number between 0 and 100 by a sigmoid, and of equal ones the first in the one node order
of the run. BestFit takes the node with least CPU and GPU left.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

import numpy as np
from numpy.typing import NDArray

from weyr.scheduling.placement import Node, Request

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WHOLE = 1000


class PeerCluster:
    """Nodes as arrays in the run's order. `free` is int64[nodes, devices], -1 where a node has no such device."""

    def __init__(self, nodes: list[Node], pods: list[Request], score: "Score", seed: int) -> None:
        chance = Random(seed)
        nodes = chance.sample(nodes, len(nodes))
        models = sorted({node.model for node in nodes})
        most = max(node.devices for node in nodes)
        self.cpu = np.array([node.cpu_milli for node in nodes])
        self.memory = np.array([node.memory_mib for node in nodes])
        self.free = np.array([[WHOLE] * node.devices + [-1] * (most - node.devices) for node in nodes])
        self.model = np.array([models.index(node.model) for node in nodes])
        self.models = models
        self.chance = np.random.default_rng(seed)
        self.typical = _Typical(pods, models)
        self._score = score
        self._known: dict[Request, tuple[int, Floats, Ints]] = {}
        self._changed: list[int] = []

    def place(self, pod: Request) -> bool:
        """Whether it found room. Scores of nodes that have not changed since the pod's like came are kept."""
        read, scores, devices = self._known.get(pod, (-1, np.empty(0), np.empty(0, dtype=np.int64)))
        if read < 0:
            scores, devices = np.full(len(self.cpu), -np.inf), np.zeros(len(self.cpu), dtype=np.int64)
            rows = np.arange(len(self.cpu))
        else:
            rows = np.array(sorted(set(self._changed[read:])), dtype=np.int64)
        self._known[pod] = (len(self._changed), scores, devices)
        if len(rows):
            fits = self._fits(rows, pod)
            scores[rows[~fits]] = -np.inf
            if fits.any():
                rows = rows[fits]
                scores[rows], devices[rows] = self._score(self, rows, pod)
        best = int(np.argmax(scores))
        if scores[best] == -np.inf:
            return False
        self._take(best, pod, int(devices[best]))
        return True

    def _fits(self, rows: Ints, pod: Request) -> NDArray[np.bool_]:
        has_devices = (self.free[rows] >= (pod.share_milli or WHOLE)).sum(1) >= (pod.devices or bool(pod.share_milli))
        allowed = np.array([not pod.models or model in pod.models for model in self.models])[self.model[rows]]
        enough: NDArray[np.bool_] = (self.cpu[rows] >= pod.cpu_milli) & (self.memory[rows] >= pod.memory_mib)
        return enough & has_devices & allowed

    def _take(self, row: int, pod: Request, device: int) -> None:
        self.cpu[row] -= pod.cpu_milli
        self.memory[row] -= pod.memory_mib
        if pod.share_milli:
            self.free[row, device] -= pod.share_milli
        else:
            self.free[row, np.flatnonzero(self.free[row] == WHOLE)[: pod.devices]] = 0
        self._changed.append(row)


Score = Callable[[PeerCluster, Ints, Request], tuple[Floats, Ints]]
"""For nodes where the pod fits: a score, the highest is taken, and the device a share goes to."""


class _Typical:
    """The workload's mix: how often each kind of pod is asked for, of all pods."""

    def __init__(self, pods: list[Request], models: list[str]) -> None:
        kinds = Counter(pods)
        self._known: dict[bytes, float] = {}
        self.part = np.array(list(kinds.values())) / len(pods)
        self.cpu = np.array([pod.cpu_milli for pod in kinds])
        self.milli = np.array([pod.share_milli or WHOLE * bool(pod.devices) for pod in kinds])
        self.devices = np.array([pod.devices or bool(pod.share_milli) for pod in kinds])
        self.allowed = np.array([[not pod.models or model in pod.models for pod in kinds] for model in models])

    def fragments(self, cpu: Ints, free: Ints, model: Ints) -> Floats:
        """What the next pod could not use of each state's GPUs, in the mean over the mix. Kept by state."""
        free = np.sort(free, axis=1)
        states = [state.tobytes() for state in np.column_stack((cpu, model, free))]
        new = [at for at, state in enumerate(states) if state not in self._known]
        if new:
            found = self._fragments(cpu[new], free[new], model[new])
            self._known.update((states[at], fragments) for at, fragments in zip(new, found.tolist(), strict=True))
        return np.array([self._known[state] for state in states])

    def _fragments(self, cpu: Ints, free: Ints, model: Ints) -> Floats:
        left = np.maximum(free, 0)
        fits = left[:, :, None] >= self.milli
        unusable = (left[:, :, None] * ~fits).sum(1)
        hosts = (fits & (free[:, :, None] >= 0)).sum(1) >= self.devices
        hosts &= (cpu[:, None] >= self.cpu) & self.allowed[model] & (self.devices > 0)
        fragments: Floats = (np.where(hosts, unusable, left.sum(1)[:, None]) * self.part).sum(1)
        return fragments


def fgd(cluster: PeerCluster, rows: Ints, pod: Request) -> tuple[Floats, Ints]:
    free, model = cluster.free[rows], cluster.model[rows]
    cpu = cluster.cpu[rows]
    before = cluster.typical.fragments(cpu, free, model)
    if not pod.share_milli:
        after = free.copy()
        whole = (after == WHOLE).cumsum(1)
        after[(after == WHOLE) & (whole <= pod.devices)] = 0
        return _whole_score(before - cluster.typical.fragments(cpu - pod.cpu_milli, after, model)), np.zeros_like(rows)
    at, device = np.nonzero(free >= pod.share_milli)
    after = free[at]
    after[np.arange(len(at)), device] -= pod.share_milli
    fragments = cluster.typical.fragments(cpu[at] - pod.cpu_milli, after, model[at])
    by_device = np.full(free.shape, -np.inf)
    by_device[at, device] = _whole_score(before[at] - fragments)
    chosen = by_device.argmax(1)
    return by_device[np.arange(len(rows)), chosen], chosen


def _whole_score(fall_milli: Floats) -> Floats:
    score: Floats = np.floor(100 / (1 + np.exp(-fall_milli / WHOLE)))
    return score


def best_fit(cluster: PeerCluster, rows: Ints, pod: Request) -> tuple[Floats, Ints]:
    free = cluster.free[rows]
    milli = pod.share_milli + WHOLE * pod.devices
    left = (cluster.cpu[rows] - pod.cpu_milli) / 128_000 + (np.maximum(free, 0).sum(1) - milli) / 8_000
    tightest = np.where(free >= max(pod.share_milli, 1), free, WHOLE + 1).argmin(1)
    return np.floor(100 * (1 - left / 2)), tightest


def by_chance(cluster: PeerCluster, rows: Ints, pod: Request) -> tuple[Floats, Ints]:
    fits = cluster.free[rows] >= max(pod.share_milli, 1)
    return cluster.chance.random(len(rows)), (fits * cluster.chance.random(fits.shape)).argmax(1)


PEERS: dict[str, Score] = {"FGD": fgd, "BestFit": best_fit, "Random": by_chance}
