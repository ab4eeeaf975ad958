"""What does a caller of OpenAI's protocol ask? Read strictly: what cannot be honoured is refused by its name. Pure.

Source: OpenAI's API reference: chat completions, completions, embeddings (2025-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from weyr.runtime.serve.language import Message, Sampling

CHOICES_MAX = 16
STOPS_MAX = 16
TEXTS_MAX = 2048


class Refused(ValueError):
    """The caller's mistake, in OpenAI's terms: the text, and the parameter it is about."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


@dataclass(frozen=True, slots=True)
class AskedText:
    """One conversation, or some prompts, and for each of them as many answers as there are `samplings`."""

    model: str
    prompts: tuple[str | tuple[Message, ...], ...]
    samplings: tuple[Sampling, ...]
    is_stream: bool
    with_usage: bool


@dataclass(frozen=True, slots=True)
class AskedVectors:
    """Texts to embed. `dimensions` is checked once the model is known."""

    model: str
    texts: tuple[str, ...]
    is_base64: bool
    dimensions: int | None


NO_EFFECT: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,), "echo": (False,), "frequency_penalty": (0, 0.0), "function_call": ("none", "auto"),
    "functions": ([],), "logit_bias": ({},), "logprobs": (False,), "modalities": (["text"],),
    "presence_penalty": (0, 0.0), "response_format": ({"type": "text"},), "store": (False,), "suffix": ("",),
    "tool_choice": ("none", "auto"), "tools": ([],), "top_logprobs": (0,), "verbosity": (),
}  # fmt: skip
"""What the models here do not do. These values of it ask for nothing, so they are taken."""

HARMLESS = frozenset({
    "metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier", "user",
})  # fmt: skip
"""Said about the request, not asked of the model."""

SHARED = frozenset({"model", "max_tokens", "n", "seed", "stop", "stream", "stream_options", "temperature", "top_p"})


def read_chat(plain: Mapping[str, Any]) -> AskedText:
    """Raises: Refused."""
    _check_known(plain, SHARED | {"messages", "max_completion_tokens"})
    messages = plain.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("messages is missing; it is a list of turns", "messages")
    turns = tuple(_message(item, f"messages[{at}]") for at, item in enumerate(messages))
    return _asked(plain, (turns,), "max_completion_tokens" if "max_completion_tokens" in plain else "max_tokens")


def read_completion(plain: Mapping[str, Any]) -> AskedText:
    """Raises: Refused."""
    _check_known(plain, SHARED | {"prompt"})
    return _asked(plain, _texts(plain.get("prompt"), "prompt", CHOICES_MAX), "max_tokens")


def read_embeddings(plain: Mapping[str, Any]) -> AskedVectors:
    """Raises: Refused."""
    _check_known(plain, frozenset({"model", "input", "encoding_format", "dimensions"}))
    encoding = plain.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise Refused("encoding_format is float or base64", "encoding_format")
    dimensions = None if plain.get("dimensions") is None else read_integer(plain["dimensions"], "dimensions", 1)
    return AskedVectors(_model(plain), _texts(plain.get("input"), "input", TEXTS_MAX), encoding == "base64", dimensions)


def _asked(plain: Mapping[str, Any], prompts: tuple[str | tuple[Message, ...], ...], limit: str) -> AskedText:
    given = {name: value for name, value in plain.items() if value is not None}
    sampling = Sampling(
        tokens_max=read_integer(given[limit], limit, 1) if limit in given else None,
        temperature=read_number(given.get("temperature", 1.0), "temperature", 0.0, 2.0),
        top_p=read_number(given.get("top_p", 1.0), "top_p", 0.0, 1.0),
        stops=read_stops(given.get("stop")),
        seed=read_integer(given["seed"], "seed", -(2**63)) if "seed" in given else None,
    )
    choices = read_integer(given.get("n", 1), "n", 1)
    if choices * len(prompts) > CHOICES_MAX:
        raise Refused(f"{choices * len(prompts)} answers at once; at most {CHOICES_MAX} are possible", "n")
    options = given.get("stream_options", {})
    is_stream = read_flag(given.get("stream", False), "stream")
    if not isinstance(options, dict) or set(options) - {"include_usage", "include_obfuscation"}:
        raise Refused("stream_options has include_usage only", "stream_options")
    if options and not is_stream:
        raise Refused("stream_options belong to a stream", "stream_options")
    with_usage = read_flag(options.get("include_usage", False), "stream_options.include_usage")
    # With one seed all answers would be the same.
    samplings = tuple(
        sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + n) for n in range(choices)
    )
    return AskedText(_model(plain), prompts, samplings, is_stream, with_usage)


def _check_known(plain: Mapping[str, Any], known: frozenset[str]) -> None:
    for name, value in plain.items():
        if name in known or name in HARMLESS or value is None:
            continue
        if name not in NO_EFFECT:
            raise Refused(f"{name} is not known here", name, "unknown_parameter")
        if value not in NO_EFFECT[name]:
            raise Refused(f"{name} cannot be honoured by the models served here", name, "unsupported_parameter")


def _message(item: object, at: str) -> Message:
    if not isinstance(item, dict) or not isinstance(item.get("role"), str):
        raise Refused(f"{at} has no role", at)
    role = {"developer": "system"}.get(item["role"], item["role"])
    if role not in ("system", "user", "assistant"):
        raise Refused(f"{at}: the role is system, user or assistant", f"{at}.role")
    content = item.get("content")
    if isinstance(content, list):
        content = "".join(_part(part, f"{at}.content[{n}]") for n, part in enumerate(content))
    if not isinstance(content, str):
        raise Refused(f"{at}: the content is text", f"{at}.content")
    if unknown := sorted(
        key for key, value in item.items() if key not in ("role", "content", "name", "refusal") and value is not None
    ):
        raise Refused(f"{at}: {unknown[0]} cannot be honoured by the models served here", f"{at}.{unknown[0]}")
    return Message(role, content)


def _part(part: object, at: str) -> str:
    if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
        raise Refused(f"{at}: the models served here take text only", at)
    return str(part["text"])


def _texts(given: object, name: str, most: int) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise Refused(f"{name} is missing; it is a text or a list of texts", name)
    if not all(isinstance(text, str) for text in texts):
        raise Refused(f"{name} holds something other than texts; tokens are not taken", name)
    if len(texts) > most:
        raise Refused(f"{name} has {len(texts)} texts; at most {most} are possible", name)
    return tuple(texts)


def _model(plain: Mapping[str, Any]) -> str:
    if not isinstance(plain.get("model"), str):
        raise Refused("model is missing; GET /v1/models lists what is served", "model")
    return str(plain["model"])


def read_stops(given: object) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else ([] if given is None else given)
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise Refused("stop is a text or a list of texts", "stop")
    if len(stops) > STOPS_MAX:
        raise Refused(f"stop has {len(stops)} texts; at most {STOPS_MAX} are possible", "stop")
    return tuple(stops)


def read_flag(value: object, name: str) -> bool:
    if type(value) is not bool:
        raise Refused(f"{name} is true or false", name)
    return value


def read_integer(value: object, name: str, least: int) -> int:
    if type(value) is not int or not least <= value < 2**63:
        raise Refused(f"{name} is a whole number of at least {least}", name)
    return value


def read_number(value: object, name: str, least: float, most: float) -> float:
    if type(value) not in (int, float) or not least <= value <= most:  # type: ignore[operator]  # both are numbers here
        raise Refused(f"{name} is between {least:g} and {most:g}", name)
    return float(value)  # type: ignore[arg-type]  # a number, as the line before says
