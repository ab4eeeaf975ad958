"""How much of what may a queue use? `{cpu: 8, memory: 64GiB, H100: 4, gpu: 8, money: 20 USD}`, and back to text."""

from collections.abc import Mapping

from weyr.core.accelerators import MODEL, PROFILE
from weyr.core.units import Money, bytes_of, money_text, size_text

Written = Mapping[str, str | int | float]


def amounts_of(written: Written) -> dict[str, int]:
    """By resource: `cpu`, `gpu` and `gpu/<model>` in thousandths, `memory` in bytes, `money` in millionths per hour.

    Raises: ValueError with a sentence.
    """
    return dict(_amount(name, value) for name, value in written.items())


def checked_amounts(written: Written) -> Written:
    """As they were written, once they are known to be right. Raises: ValueError."""
    amounts_of(written)
    return written


def amount_text(name: str, amount: int) -> str:
    """`4 H100`, `8 CPU`, `64 GiB`, `20.00 per hour`."""
    if name == "memory":
        return size_text(amount)
    if name == "money":
        return f"{money_text(amount)} per hour"
    return f"{amount / 1000:g} {name.partition('/')[2] or name.upper()}"


def _amount(name: str, value: str | int | float) -> tuple[str, int]:
    if name == "memory":
        return name, bytes_of(str(value))
    if name == "money":
        return name, Money.parse(str(value)).micros
    if name not in ("cpu", "gpu") and not (MODEL.fullmatch(name) or PROFILE.fullmatch(name)):
        raise ValueError(f"{name!r} is nothing that a queue can have; write cpu, memory, gpu, money or a model as H100")
    try:
        milli = round(float(value) * 1000)
    except ValueError:
        raise ValueError(f"{name}: {value!r} is not a number") from None
    if not 0 <= milli <= 10**12:
        raise ValueError(f"{name}: {value} is not between nothing and a billion")
    return (name if name in ("cpu", "gpu") else f"gpu/{name}"), milli
