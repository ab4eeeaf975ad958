"""What would a lifecycle rule be that nobody has added yet? Read from `prefix=tmp/ expire_after=7d`. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from weyr.core.diagnostic import did_you_mean
from weyr.core.units import duration_text, seconds_of

_AGES = ("expire_after", "noncurrent_expire_after", "abort_uploads_after")
_WORDS = ("prefix", "tag", *_AGES)


@dataclass(frozen=True, slots=True)
class WishedRule:
    """What would end: current objects, old versions and unfinished uploads under a prefix, each after an age (s)."""

    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    expire_after: float | None = None
    noncurrent_expire_after: float | None = None
    abort_uploads_after: float | None = None

    def __str__(self) -> str:
        words = [f"prefix={shlex.quote(self.prefix)}"] if self.prefix else []
        words += [f"tag={shlex.quote(f'{name}={value}')}" for name, value in self.tags]
        ages = ((name, getattr(self, name)) for name in _AGES)
        return " ".join([*words, *(f"{name}={duration_text(age)}" for name, age in ages if age is not None)])

    def has(self, key: str, tags: Mapping[str, str]) -> bool:
        return key.startswith(self.prefix) and set(self.tags) <= tags.items()


def rule_of(text: str) -> WishedRule:
    """Raises: ValueError, with what is wrong in a sentence."""
    prefix, tags, ages = "", list[tuple[str, str]](), dict[str, float]()
    for part in shlex.split(text):
        word, has_value, value = part.partition("=")
        if word not in _WORDS or not has_value:
            raise ValueError(f"{part!r} is no part of a rule, such as expire_after=7d.{did_you_mean(word, _WORDS)}")
        if word == "prefix":
            prefix = value
        elif word == "tag":
            name, mark, tag = value.partition("=")
            if not mark:
                raise ValueError(f"a tag is written tag=NAME=VALUE, and {part!r} is not")
            tags.append((name, tag))
        else:
            ages[word] = seconds_of(value)
            if ages[word] <= 0:
                raise ValueError(f"{word} must be longer than nothing")
    if not ages:
        raise ValueError(f"{text!r} ends nothing; write one of {', '.join(_AGES)}")
    if tags and set(ages) != {"expire_after"}:
        raise ValueError("tags are of current objects: with them only expire_after can be asked for")
    return WishedRule(prefix, tuple(tags), **ages)
