"""The server shaped like a language model takes the times that its sources say, in virtual time."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "examples" / "llm-shaped" / "shape.py"
SPEC = importlib.util.spec_from_file_location("llm_shape", FILE)
assert SPEC is not None
assert SPEC.loader is not None
shape: Any = importlib.util.module_from_spec(SPEC)
sys.modules["llm_shape"] = shape
SPEC.loader.exec_module(shape)


def first_token_s(batch: Any, prompt: tuple[int, ...], length: int = 5) -> float:
    """When the first token of a prompt is there, which comes now."""
    asked, passed = shape.Asked(prompt, length), 0.0
    batch.add(asked)
    while not asked.written:
        took, _ = batch.step()
        passed += took
    return passed


def test_its_figures_are_those_of_the_sources() -> None:
    """A load test on it says something about a GPU only if its times are a GPU's."""
    assert 0.006 < shape.seconds(1, 100) < 0.008
    assert 0.025 < first_token_s(shape.Batch(), tuple(range(1024))) < 0.035
    assert 11_000 < 256 / shape.seconds(256, 256_000) < 13_500


def test_a_prompt_that_was_read_before_is_not_read_again() -> None:
    """Sending a session to the replica that had it before is worth something."""
    batch = shape.Batch()
    first = first_token_s(batch, tuple(range(4096)))
    again = first_token_s(batch, tuple(range(4096)))
    other = first_token_s(batch, tuple(range(9000, 9000 + 4096)))

    assert again < first / 5
    assert other > again * 5


def test_who_finds_every_slot_taken_waits() -> None:
    """Beyond what a replica computes at once its callers queue, which is what scaling has to see."""
    batch = shape.Batch(slots=2)
    for _ in range(2):
        batch.add(shape.Asked((1, 2, 3), 50))
    batch.add(late := shape.Asked((1, 2, 3), 1))
    batch.step()

    assert (len(batch.running), len(batch.waiting)) == (2, 1)
    for _ in range(60):
        batch.step()
    assert late.is_done


def test_the_same_prompt_and_seed_give_the_same_answer() -> None:
    """A load test that is run again is the same test."""
    prompt = shape.tokens_of("Tell me of dragons.")

    assert shape.length_of(prompt, 4096, 7) == shape.length_of(prompt, 4096, 7)
    assert [shape.word(prompt, i, 7) for i in range(9)] == [shape.word(prompt, i, 7) for i in range(9)]
    assert [shape.word(prompt, i, 7) for i in range(9)] != [shape.word(prompt, i, 8) for i in range(9)]
