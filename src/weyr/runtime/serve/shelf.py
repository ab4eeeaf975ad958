"""Which models are in memory? Those asked for last, as many as fit; the others are loaded when asked for.

One model is loaded at a time, in a thread, and warm before it is ready. The loop decides; only loading is elsewhere.
"""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from weyr.runtime.serve.batch import Batcher, Batching, unhonoured
from weyr.runtime.serve.model import Model, Unloadable


class Stage(StrEnum):
    """Where a model is, in the words of the repository's index (Triton's extension of the protocol)."""

    UNAVAILABLE = "UNAVAILABLE"
    LOADING = "LOADING"
    READY = "READY"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version of a model comes from; `seal` says what its files were when it was registered."""

    name: str
    version: str
    place: str
    seal: str = ""


class Loader(Protocol):
    """Both are called in a thread, one model at a time. Raise whatever keeps a model from being served."""

    def fetch(self, source: Source) -> tuple[Path, int]:
        """The model's folder on this machine, and the size of its files in bytes."""
        ...

    def load(self, source: Source, folder: Path) -> Model:
        """The model, warm."""
        ...


class NoRoom(Exception):
    """The model cannot be in memory now; the text says why. `is_passing` where it may be, later."""

    def __init__(self, message: str, is_passing: bool) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class Slot:
    """One model's place. `size_bytes` is what it took when it was last in memory, 0 while that is not known.

    While it is in memory `batcher` computes what can be batched, and `calls` are the threads for all else.
    """

    def __init__(self, source: Source, batching: Batching) -> None:
        self.source = source
        self.batching = batching
        self.stage = Stage.UNAVAILABLE
        self.reason = "not loaded yet"
        self.model: Model | None = None
        self.batcher: Batcher | None = None
        self.calls: ThreadPoolExecutor | None = None
        self.size_bytes = 0
        self.used_at = 0.0
        self.streams = 0
        self.loading: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """In memory, and nothing is computed or waits."""
        return self.batcher is not None and self.batcher.is_idle and not self.streams


class Shelf:
    """All models of one replica.

    Takes `memory_max` in bytes, 0 for no bound, and how models of certain names are batched other than all. What a
    model takes is what the process grew by while it was loaded, and at least the size of its files.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        loader: Loader,
        batching: Batching | None = None,
        memory_max: int = 0,
        of_model: Mapping[str, Batching] | None = None,
    ) -> None:
        self.slots: dict[str, dict[str, Slot]] = {}
        for source in sources:
            slot = Slot(source, (of_model or {}).get(source.name) or batching or Batching())
            self.slots.setdefault(source.name, {})[source.version] = slot
        self.loads = self.evictions = 0
        self.memory_max = memory_max
        self._loader = loader
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._turn = asyncio.Lock()

    @property
    def all(self) -> list[Slot]:
        return [slot for versions in self.slots.values() for slot in versions.values()]

    @property
    def resident_bytes(self) -> int:
        return sum(slot.size_bytes for slot in self.all if slot.batcher)

    def find(self, name: str, version: str = "") -> Slot | None:
        """Without a version: the last one named, which is the newest as the command line is written."""
        versions = self.slots.get(name)
        if versions is None:
            return None
        return versions.get(version) if version else next(reversed(versions.values()))

    async def fill(self) -> None:
        """Loads the models in their order, as long as they fit. Raises: why the first failed, where none can be served.

        A model that fails is told in the index and when it is asked for; the others are served.
        """
        first: Exception | None = None
        for slot in self.all:
            try:
                await self.load(slot, evicts=False)
            except NoRoom as e:
                if not e.is_passing:
                    first = first or e
            except Exception as e:  # noqa: BLE001 - a model's own code, which may raise anything
                first = first or e
        if first is not None and not any(slot.batcher for slot in self.all):
            raise first

    async def load(self, slot: Slot, evicts: bool = True) -> None:
        """Until the model is ready. Who asks meanwhile waits for the same loading. Raises: why it is not."""
        if slot.batcher is not None:
            return
        if slot.loading is None:
            slot.loading = self._loop.create_task(self._load(slot, evicts))
            slot.loading.add_done_callback(lambda done: self._loaded(slot, done))
        await asyncio.shield(slot.loading)

    def unload(self, slot: Slot) -> bool:
        """Gives the model's memory back; the next request for it loads it again. False while it is busy."""
        if slot.batcher is None:
            slot.reason = "unloaded"
            return True
        if not slot.is_idle:
            return False
        self._evict(slot, "unloaded")
        return True

    async def _load(self, slot: Slot, evicts: bool) -> None:
        slot.stage, slot.reason = Stage.LOADING, ""
        async with self._turn:
            folder, files_bytes = await self._loop.run_in_executor(self._thread, self._loader.fetch, slot.source)
            self._make_room(slot, slot.size_bytes or files_bytes, evicts)
            model, grown = await self._loop.run_in_executor(
                self._thread, _measured, lambda: self._loader.load(slot.source, folder)
            )
            if why := unhonoured(model.predictor, slot.batching):
                raise Unloadable(f"model {slot.source.name}: {why}")
            slot.size_bytes = max(files_bytes, grown)
            self._make_room(slot, slot.size_bytes, evicts)
        slot.model, slot.batcher = model, Batcher(model, slot.batching)
        slot.calls = ThreadPoolExecutor(slot.batching.streams, thread_name_prefix="call")
        slot.used_at = self._loop.time()
        self.loads += 1

    def _loaded(self, slot: Slot, done: "asyncio.Task[None]") -> None:
        slot.loading = None
        error = None if done.cancelled() else done.exception()
        slot.stage = Stage.READY if slot.batcher else Stage.UNAVAILABLE
        slot.reason = str(error or "")

    def _make_room(self, slot: Slot, size_bytes: int, evicts: bool) -> None:
        """Evicts what was not used for longest until `size_bytes` fit. Raises: NoRoom."""
        if not self.memory_max:
            return
        if size_bytes > self.memory_max:
            message = f"model {slot.source.name} takes {size_bytes} bytes, and all models together may take"
            raise NoRoom(f"{message} {self.memory_max}", is_passing=False)
        while self.resident_bytes + size_bytes > self.memory_max:
            idle = [other for other in self.all if other.is_idle]
            if not evicts or not idle:
                raise NoRoom("the models in memory are all in use, and there is no room for one more", is_passing=True)
            self._evict(min(idle, key=lambda other: other.used_at), "evicted: others were used after it")

    def _evict(self, slot: Slot, reason: str) -> None:
        assert slot.batcher is not None
        assert slot.calls is not None
        slot.batcher.close()
        slot.calls.shutdown(wait=False)
        slot.model = slot.batcher = slot.calls = None
        slot.stage, slot.reason = Stage.UNAVAILABLE, reason
        self.evictions += 1
        gc.collect()


def _measured(load: Callable[[], Model]) -> tuple[Model, int]:
    """What was loaded, and by how many bytes the process has grown."""
    before = _resident_bytes()
    model = load()
    return model, max(0, _resident_bytes() - before)


def _resident_bytes() -> int:
    """Of this process, as the kernel counts it; 0 where it does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * 4096


def index(slots: Sequence[Slot], is_ready_only: bool) -> list[Mapping[str, str]]:
    """The answer to `POST /v2/repository/index`."""
    return [
        {"name": slot.source.name, "version": slot.source.version, "state": slot.stage.value, "reason": slot.reason}
        for slot in slots
        if not is_ready_only or slot.stage is Stage.READY
    ]
