"""How do people write accelerators, and what do they mean? Whole devices, a share, memory, or a MIG profile.

`H100`, `H100:8`, `H100:0.5`, `H100:20GiB`, `H100:2g.20gb`, `2` for any two, or a mapping of one: `{H100: 8}`.
"""

import re
from collections.abc import Mapping

from weyr.core.capability import Accelerators
from weyr.core.units import bytes_of, size_text

MODEL = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,39}")
PROFILE = re.compile(r"[0-9]g\.[0-9]{1,3}gb(\+me|\+gfx)?")
COUNT_MAX = 100_000
EXAMPLES = "accelerators such as H100:8, H100:0.5, H100:20GiB or H100:2g.20gb"


def accelerators_of(value: object) -> Accelerators:
    """Raises: ValueError with a sentence."""
    match value:
        case Accelerators():
            return value
        case Mapping() if len(value) == 1:
            ((model, amount),) = value.items()
            return _amount(str(model), str(amount))
        case int() | float() if not isinstance(value, bool):
            return _amount("", str(value))
        case str():
            model, colon, amount = value.partition(":")
            if not colon and not MODEL.fullmatch(model):
                return _amount("", value)
            return _amount(model, amount if colon else "1")
        case _:
            raise ValueError(f"write {EXAMPLES}")


def accelerators_text(wanted: Accelerators) -> str:
    """As it is written: `H100:8`."""
    if wanted.count:
        amount = str(wanted.count)
    elif wanted.share_milli:
        amount = f"{wanted.share_milli / 1000:g}"
    else:
        amount = wanted.profile or size_text(wanted.memory_bytes).replace(" ", "")
    return f"{wanted.model}:{amount}" if wanted.model else amount


def _amount(model: str, text: str) -> Accelerators:
    if model and not MODEL.fullmatch(model):
        raise ValueError(f"{model!r} is not the name of an accelerator; write {EXAMPLES}")
    if PROFILE.fullmatch(text):
        return Accelerators(model, profile=text)
    if re.fullmatch(r"[0-9]{1,6}", text):
        if not 1 <= int(text) <= COUNT_MAX:
            raise ValueError(f"{text} accelerators; write a number from 1 to {COUNT_MAX:,}")
        return Accelerators(model, int(text))
    if re.fullmatch(r"0?\.[0-9]{1,3}", text) and float(text) > 0:
        return Accelerators(model, share_milli=round(float(text) * 1000))
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"{text} accelerators; write whole ones, or a share of one in thousandths, such as 0.5")
    try:
        return Accelerators(model, memory_bytes=bytes_of(text))
    except ValueError:
        raise ValueError(f"{text!r} is no amount of accelerators; write {EXAMPLES}") from None
