"""Many models in one replica: which are in memory, and what does a caller notice of it?"""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from served_models import Identity, Made, rows, shelf_of

from weyr.runtime.serve.app import App
from weyr.runtime.serve.batch import Batching
from weyr.runtime.serve.desk import Desk
from weyr.runtime.serve.language import Embeddings
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import NoRoom, Shelf, Source, Stage
from weyr.runtime.serve.talk import Talk
from weyr.wire.message import Request, Response

MIB = 2**20


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 90))


def models(*names: str, **before: Any) -> list[Model]:
    return [Model(name, "1", Identity(before=before.get(name, lambda inputs: None))) for name in names]


async def used(shelf: Shelf, name: str) -> None:
    """As a request does, and a moment later."""
    slot = shelf.find(name)
    assert slot is not None
    await shelf.load(slot)
    slot.used_at = asyncio.get_running_loop().time()


def resident(shelf: Shelf) -> set[str]:
    return {slot.source.name for slot in shelf.all if slot.stage is Stage.READY}


def test_the_model_used_longest_ago_leaves_for_one_that_is_asked_for() -> None:
    """A replica may name more models than its memory holds; those in use stay fast."""

    async def test() -> None:
        sizes = dict.fromkeys("abc", 400 * MIB)
        shelf = shelf_of(models("a", "b", "c"), sizes, memory_max=1000 * MIB)
        await shelf.fill()
        assert resident(shelf) == {"a", "b"}
        await used(shelf, "a")
        await used(shelf, "c")
        assert resident(shelf) == {"a", "c"}
        assert shelf.resident_bytes <= shelf.memory_max
        assert (shelf.loads, shelf.evictions) == (3, 1)

    run(test())


def test_a_model_at_work_is_never_evicted() -> None:
    """A request under way ends with its answer; the newcomer is told to come again."""

    async def test() -> None:
        started, goes_on = threading.Event(), threading.Event()

        def wait(inputs: Any) -> None:
            started.set()
            goes_on.wait(20)

        shelf = shelf_of(models("a", "b", a=wait), {"a": 600 * MIB, "b": 600 * MIB}, memory_max=1000 * MIB)
        await shelf.fill()
        slot = shelf.find("a")
        assert slot is not None
        assert slot.batcher is not None
        answer = slot.batcher.submit({"x": rows(1)}, ("y",), lambda given: Response(200))
        await asyncio.get_running_loop().run_in_executor(None, started.wait, 20)
        with pytest.raises(NoRoom, match="in use"):
            await used(shelf, "b")
        goes_on.set()
        assert isinstance(answer, asyncio.Future)
        assert (await answer).status == 200
        await used(shelf, "b")
        assert resident(shelf) == {"b"}

    run(test())


def test_a_busy_model_leaves_the_others_their_threads() -> None:
    """`concurrency` is each model's own: texts that one generates for minutes hold nobody else's up."""

    async def test() -> None:
        goes_on = threading.Event()

        class Embedder:
            dimensions, tokens_max = 1, 9

            def __init__(self, waits: bool) -> None:
                self.waits = waits

            def embed(self, texts: Sequence[str]) -> Embeddings:
                assert not self.waits or goes_on.wait(20)
                return Embeddings(rows(len(texts), 1), len(texts))

        both = [Model(name, "1", Identity(), embedder=Embedder(waits=name == "a")) for name in "ab"]
        shelf = shelf_of(both, batching=Batching(streams=1))
        await shelf.fill()
        talk = Talk(Desk(shelf))
        busy, free = shelf.find("a"), shelf.find("b")
        assert busy is not None
        assert free is not None
        waiting = [asyncio.ensure_future(talk.embed(busy, ["text"])) for _ in range(3)]
        assert (await talk.embed(free, ["text"])).tokens == 1
        assert not any(each.done() for each in waiting)
        goes_on.set()
        await asyncio.gather(*waiting)

    run(test())


def test_one_model_may_be_called_by_fewer_at_once_than_the_others() -> None:
    """A model that is not safe in several threads stands beside one that is fast in them."""

    async def test() -> None:
        two, three = threading.Barrier(2), threading.Barrier(3)

        def alone(inputs: Any) -> None:
            with pytest.raises(threading.BrokenBarrierError):
                two.wait(0.2)

        of_model = {"a": Batching(rows_max=1, threads=1)}
        both = models("a", "b", a=alone, b=lambda inputs: three.wait(20))
        shelf = shelf_of(both, batching=Batching(rows_max=1, threads=3), of_model=of_model)
        await shelf.fill()
        for name in "ab":
            slot = shelf.find(name)
            assert slot is not None
            assert slot.batcher is not None
            wait = [slot.batcher.submit({"x": rows(1)}, ("y",), lambda _: Response(200), None) for _ in range(3)]
            told = await asyncio.gather(*(each for each in wait if isinstance(each, asyncio.Future)))
            assert all(each.status == 200 for each in told)

    run(test())


def test_a_model_larger_than_the_bound_is_refused_for_good() -> None:
    """Evicting everything for it would not help."""

    async def test() -> None:
        shelf = shelf_of(models("a", "b"), {"a": MIB, "b": 2000 * MIB}, memory_max=1000 * MIB)
        await shelf.fill()
        with pytest.raises(NoRoom, match="2097152000 bytes"):
            await used(shelf, "b")
        assert resident(shelf) == {"a"}

    run(test())


def test_callers_of_one_cold_model_wait_for_one_loading() -> None:
    """Ten requests for it are not ten downloads."""

    async def test() -> None:
        loaded: list[str] = []

        class Counting(Made):
            def load(self, source: Source, folder: Path) -> Model:
                loaded.append(source.name)
                return super().load(source, folder)

        (model,) = models("a")
        shelf = Shelf([Source("a", "1", "0")], Counting({("a", "1"): lambda: model}))
        await asyncio.gather(*(used(shelf, "a") for _ in range(10)))
        assert loaded == ["a"]

    run(test())


def test_one_broken_model_does_not_keep_the_others_from_being_served() -> None:
    """Its reason is in the index and in the answer; a replica that can serve nothing ends."""

    async def test() -> None:
        def broken() -> Model:
            raise ValueError("half of its weights are missing")

        (good,) = models("a")
        shelf = Shelf(
            [Source("b", "1", "0"), Source("a", "1", "0")], Made({("a", "1"): lambda: good, ("b", "1"): broken})
        )
        await shelf.fill()
        desk = Desk(shelf)
        desk.is_filled = True
        given = App(desk)(Request(b"POST", b"/v2/models/b/infer", {}, b"{}"))
        assert isinstance(given, asyncio.Future)
        response = await given
        assert response.status == 503
        assert isinstance(response, Response)
        assert b"half of its weights" in response.body
        alone = Shelf([Source("b", "1", "0")], Made({("b", "1"): broken}))
        with pytest.raises(ValueError, match="half of its weights"):
            await alone.fill()

    run(test())
