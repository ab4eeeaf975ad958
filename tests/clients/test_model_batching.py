"""Which requests are computed together, and does each get what is its own?"""

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served_models import Identity, rows, shelf_of

from weyr.runtime.serve.batch import QUICK_AFTER, Batcher, Batching
from weyr.runtime.serve.join import joined, likeness, parted
from weyr.runtime.serve.model import Model, Unloadable
from weyr.runtime.serve.tensor import TensorSpec
from weyr.wire.message import Response

TOKENS = (TensorSpec("ids", "INT64", (-1, -1)), TensorSpec("mask", "INT64", (-1, -1)))
STATES = (TensorSpec("states", "INT64", (-1, -1)), TensorSpec("pooled", "INT64", (-1, -1)))


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 90))


class Kept:
    """Answers as arrays: what `write` was given, one for each request."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def ask(self, timeout_s: float | None = None, **inputs: Any) -> Any:
        kept: list[Any] = []

        def write(given: Mapping[str, Any]) -> Response:
            kept.append(dict(given))
            return Response(200)

        predictor = self._batcher._model.predictor
        outputs = tuple(spec.name for spec in predictor.outputs)
        answer = self._batcher.submit(inputs, outputs, write, timeout_s)
        response = answer if isinstance(answer, Response) else await answer
        return kept[-1] if response.status == 200 else response


def test_requests_of_one_turn_are_one_call() -> None:
    """Nothing is held back, and nothing needs to be configured for it."""

    async def test() -> None:
        model = Identity()
        kept = Kept(Batcher(Model("m", "1", model)))
        asked = [rows(n) + 10 * n for n in range(1, 6)]
        answers = await asyncio.gather(*(kept.ask(x=array) for array in asked))
        assert model.calls == [15]
        assert all(np.array_equal(answer["y"], array) for answer, array in zip(answers, asked, strict=True))

    run(test())


def test_a_batch_has_no_more_rows_than_asked_for() -> None:
    """Memory for a batch is reckoned by it."""

    async def test() -> None:
        model = Identity()
        kept = Kept(Batcher(Model("m", "1", model), Batching(rows_max=4)))
        await asyncio.gather(*(kept.ask(x=rows(1)) for _ in range(10)))
        assert model.calls == [4, 4, 2]

    run(test())


def test_a_delay_collects_what_comes_within_it() -> None:
    """Off by default; worth it where a call costs the same for one row as for many."""

    async def test() -> None:
        model = Identity()
        kept = Kept(Batcher(Model("m", "1", model), Batching(delay_s=0.05, rows_max=4)))

        async def later(turns: int) -> Any:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await kept.ask(x=rows(1))

        await asyncio.gather(*(later(turns) for turns in (0, 3, 6)))
        assert model.calls == [3]
        # Full, it waits for nothing: the test would otherwise take an hour.
        full = Kept(Batcher(Model("m", "1", model), Batching(delay_s=3600, rows_max=4)))
        await asyncio.gather(*(full.ask(x=rows(1)) for _ in range(4)))

    run(test())


def test_a_request_that_waited_too_long_is_not_computed() -> None:
    """Its caller has given it up; the time is better spent on the next."""

    async def test() -> None:
        busy = threading.Event()

        def wait(inputs: Any) -> None:
            busy.wait(20)

        model = Identity(before=wait)
        batcher = Batcher(Model("m", "1", model), Batching(threads=1))
        kept = Kept(batcher)
        first = asyncio.ensure_future(kept.ask(x=rows(1)))
        while batcher.is_idle or not model.calls:
            await asyncio.sleep(0.001)
        second = asyncio.ensure_future(kept.ask(timeout_s=0.001, x=rows(2)))
        loop = asyncio.get_running_loop()
        over = loop.time() + 0.01
        while loop.time() < over:
            await asyncio.sleep(0.002)
        busy.set()
        assert (await second).status == 504
        assert np.array_equal((await first)["y"], rows(1))
        assert model.calls == [1]
        assert batcher.counts.expired == 1

    run(test())


def test_a_quick_model_is_called_on_the_loop_and_a_slow_one_is_not() -> None:
    """A hop to a thread costs more than a small model; a large one must not stop the health checks."""

    async def test() -> None:
        where: list[str] = []
        quick = Identity(before=lambda inputs: where.append(threading.current_thread().name))
        kept = Kept(Batcher(Model("m", "1", quick)))
        while where[-1:] != ["MainThread"]:
            await kept.ask(x=rows(1))
            assert len(where) < 1000
        assert len(where) > QUICK_AFTER
        where.clear()

        def wait(inputs: Any) -> None:
            where.append(threading.current_thread().name)
            threading.Event().wait(0.002)

        slow = Identity(before=wait)
        kept = Kept(Batcher(Model("m", "1", slow)))
        for _ in range(2 * QUICK_AFTER):
            await kept.ask(x=rows(1))
        assert "MainThread" not in where

    run(test())


def test_texts_of_different_lengths_are_padded_and_cut_back() -> None:
    """A transformer computes them in one call; nobody sees the padding."""

    async def test() -> None:
        model = Identity(TOKENS, STATES)
        kept = Kept(Batcher(Model("m", "1", model), Batching(pad=0)))
        asked = [np.full((1 + n % 2, n), n) for n in (3, 1, 7, 4)]
        answers = await asyncio.gather(*(kept.ask(ids=array, mask=array) for array in asked))
        assert model.calls == [sum(len(array) for array in asked)]
        assert all(np.array_equal(answer["states"], array) for answer, array in zip(answers, asked, strict=True))

    run(test())


def test_without_padding_only_equal_shapes_go_together() -> None:
    """Zeros would change what some models say, so it has to be asked for."""

    async def test() -> None:
        model = Identity(TOKENS, STATES)
        kept = Kept(Batcher(Model("m", "1", model)))
        asked = [np.full((1, n), n) for n in (3, 3, 7)]
        await asyncio.gather(*(kept.ask(ids=array, mask=array) for array in asked))
        assert sorted(model.calls) == [1, 2]

    run(test())


class Ragged(Identity):
    """Takes requests of any shapes at once."""

    def predict_many(
        self, requests: Sequence[Mapping[str, Any]], outputs: tuple[str, ...]
    ) -> Sequence[Mapping[str, Any]]:
        self.calls.append(len(requests))
        return [{"y": request["x"] * 2} for request in requests]


def test_a_model_that_takes_ragged_requests_gets_them_as_they_are() -> None:
    """It may sort them by length, or lay them end to end: it knows best."""

    async def test() -> None:
        model = Ragged()
        kept = Kept(Batcher(Model("m", "1", model)))
        asked = [rows(n, width=n) for n in (1, 4, 2)]
        answers = await asyncio.gather(*(kept.ask(x=array) for array in asked))
        assert model.calls == [3]
        assert all(np.array_equal(answer["y"], array * 2) for answer, array in zip(answers, asked, strict=True))

    run(test())


TEXTS = (TensorSpec("text", "BYTES", (-1, -1)),)
FIXED = (TensorSpec("x", "FP32", (-1, 3)),)
UNHONOURED = {
    "padding with nothing to pad": (Identity(FIXED), Batching(pad=0), "none of its inputs"),
    "padding of texts": (Identity(TEXTS), Batching(pad=0), "none of its inputs"),
    "padding of what is taken as it is": (Ragged(), Batching(pad=0), "as they are"),
    "a delay for nobody else": (Identity(is_rowwise=False), Batching(delay_s=1), "so that delay would"),
    "both for inputs that are no rows": (
        Identity((TensorSpec("x", "FP32", (3,)),)),
        Batching(delay_s=1, pad=0),
        "so that pad and delay would",
    ),
    "a delay for what is taken as it is": (Ragged(), Batching(delay_s=1), ""),
    "what can be padded": (Identity(TOKENS, STATES), Batching(pad=0, delay_s=1), ""),
    "nothing asked for": (Identity(is_rowwise=False), Batching(), ""),
}


@pytest.mark.parametrize("case", UNHONOURED)
def test_a_model_that_cannot_be_batched_as_asked_is_not_served(case: str) -> None:
    """A delay that nobody gains by, or padding that never happens, would be found out by measuring, if ever."""
    model, batching, told = UNHONOURED[case]

    async def test() -> None:
        shelf = shelf_of([Model("m", "1", model)], batching=batching)
        if told:
            with pytest.raises(Unloadable, match=told):
                await shelf.fill()
        else:
            await shelf.fill()

    run(test())


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=6), st.booleans())
def test_what_is_joined_comes_apart_as_it_was(shapes: list[tuple[int, int]], is_padded: bool) -> None:
    """For any shapes: each request gets its own rows, all of them, in their length."""
    pad = 0.0 if is_padded else None
    requests = [{"ids": np.random.default_rng(n).integers(1, 99, shape), "mask": np.ones(shape, int)}
                for n, shape in enumerate(shapes)]  # fmt: skip
    alike = [request for request in requests if likeness(TOKENS, request, pad) == likeness(TOKENS, requests[0], pad)]
    assert len(alike) == len(requests) if is_padded else all(each["ids"].shape[1] == shapes[0][1] for each in alike)
    whole = joined(TOKENS, alike, pad)
    given = {"states": whole["ids"], "pooled": whole["ids"][:, :1]}
    parts = parted(TOKENS, STATES, alike, given, pad)
    assert parts is not None
    for part, request in zip(parts, alike, strict=True):
        assert np.array_equal(part["states"], request["ids"])
        assert part["pooled"].shape[0] == request["ids"].shape[0]
