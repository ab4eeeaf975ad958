"""By what can a bill be split up, and under which key does an amount count? Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.metering import Account, Labels, Meter
from weyr.core.ref import ThingId
from weyr.ledger.prices import PriceBook


class By(StrEnum):
    """What is known of every line."""

    STACK = "stack"
    KIND = "kind"
    OBJECT = "object"
    THING = "thing"
    DAY = "day"
    SKU = "sku"


NAMED = ("team", "project", "user", "model", "endpoint", "experiment", "provider", "region")
"""Labels that have a word of their own; any other is asked for as `tag:KEY`."""


@dataclass(frozen=True, slots=True)
class Label:
    """By the value of one label. What has none counts under ""."""

    key: str

    @property
    def value(self) -> str:
        return self.key if self.key in NAMED else f"tag:{self.key}"

    def __str__(self) -> str:
        return self.value


Grouping = By | Label


def grouping_of(text: str) -> Grouping:
    """What `--by` says. Raises: UserError, with the nearest word."""
    if text in NAMED:
        return Label(text)
    if text.startswith("tag:") and text != "tag:":
        return Label(text.removeprefix("tag:"))
    if text in set(By):
        return By(text)
    known = [*By, *NAMED]
    detail = f'A bill is split up by {", ".join(known)} or tag:KEY, not by "{text}".{did_you_mean(text, known)}'
    raise UserError(Diagnostic("Unknown way to split up a bill", detail, suggestion="weyr cost --by object"))


def placed(labels: Labels, prices: PriceBook) -> Labels:
    """Labels, and whose prices hold for it and where, unless a tag says another: `--by provider`, `--by region`.

    A shadow price is its cloud's: what ran on a machine of one's own counts for the cloud that it is priced as.
    """
    told = {name: value for name, value in (("provider", prices.provider), ("region", prices.region)) if value}
    return tuple(sorted((told | dict(labels)).items()))


def key_of(by: Grouping, account: Account, part: str, day: str, sku: str) -> str:
    """The key that an amount counts under."""
    match by:
        case Label(key):
            return dict(account.labels).get(key, "")
        case By.STACK:
            return account.ref.stack
        case By.KIND:
            return account.ref.kind
        case By.OBJECT:
            return account.ref.absolute
        case By.THING:
            return str(ThingId(account.ref, part))
        case By.DAY:
            return day
        case By.SKU:
            return sku


def sides(meter: Meter, stack: str | None = None) -> Iterator[tuple[Account, str, int]]:
    """Whom a meter's use counts for, as (account, part, 1 or -1): its own thing, and off what it is a share of.

    With `stack`, only what counts for that stack.
    """
    if stack is None or meter.thing.ref.stack == stack:
        yield Account(meter.thing.ref, meter.labels, meter.account), meter.thing.part, 1
    if meter.source is not None and (stack is None or meter.source.ref.stack == stack):
        yield meter.source, ThingId.parse(meter.book).part, -1


def summed(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """What the amounts of each key come to."""
    sums: dict[str, int] = {}
    for key, micros in amounts:
        sums[key] = sums.get(key, 0) + micros
    return sums
