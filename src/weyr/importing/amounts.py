"""How do other tools write amounts, and how does a stack file?"""

import math
import re

from weyr.core.accelerators import accelerators_of, accelerators_text
from weyr.core.units import duration_text

_GIB = {"k": 2**-20, "m": 2**-10, "g": 1.0, "t": 2.0**10, "p": 2.0**20}
_KUBERNETES = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip


def gib(text: str) -> str:
    """`32`, `32GB`, `512MB` as SkyPilot and dstack mean them, in binary units: `32GiB`. Raises: ValueError."""
    match = re.fullmatch(r"([0-9.]+)\s*([kmgtp]?)i?b?", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not an amount of memory")
    return size_of(math.ceil(float(match[1]) * _GIB[match[2] or "g"] * 2**30))


def kubernetes_size(text: str) -> str:
    """`4Gi`, `500M`, `128974848`. Raises: ValueError."""
    match = re.fullmatch(r"([0-9.]+)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a quantity of bytes")
    return size_of(math.ceil(float(match[1]) * _KUBERNETES[match[2]]))


def kubernetes_cpu(text: str) -> float | int:
    """`500m` is half a core. Raises: ValueError."""
    match = re.fullmatch(r"([0-9.]+)(m?)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a quantity of CPU")
    return whole(float(match[1]) / (1000 if match[2] else 1))


def slurm_mib(text: str) -> int:
    """`64G`, `4000`, `4000M` as sbatch means them. Raises: ValueError."""
    match = re.fullmatch(r"([0-9.]+)([KMGT]?)B?", text.strip().upper())
    if not match:
        raise ValueError(f"{text!r} is not an amount of memory")
    return math.ceil(float(match[1]) * {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 2**20}[match[2]])


def slurm_time(text: str) -> str:
    """`2-12:00:00`, `90`, `1:30:00`, `30:00`, as sbatch means them: a duration. Raises: ValueError."""
    match = re.fullmatch(r"(?:([0-9]+)-)?([0-9]+)(?::([0-9]+))?(?::([0-9]+))?", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time limit")
    days, *rest = match.groups()
    numbers = [int(number) for number in rest if number is not None]
    if days is not None:  # days-hours[:minutes[:seconds]]
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:  # minutes[:seconds]
        hours, (minutes, seconds) = 0, [*numbers, 0][:2]
    return duration(int(days or 0) * 86_400 + hours * 3600 + minutes * 60 + seconds)


def duration(seconds: float) -> str:
    return duration_text(seconds).replace(" ", "")


def size_of(size_bytes: int) -> str:
    """In the largest binary unit that is exact."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes and size_bytes % size == 0:
            return f"{size_bytes // size}{unit}"
    return f"{math.ceil(size_bytes / 2**20)}MiB" if size_bytes >= 2**20 else f"{size_bytes}B"


def accelerators(model: str, amount: str) -> str | int:
    """As a stack file has them: `H100:8`, or a number of any. Raises: ValueError with a sentence."""
    text = accelerators_text(accelerators_of(f"{model}:{amount}" if model and amount else model or amount))
    return int(text) if text.isdecimal() else text


def whole(number: float) -> float | int:
    """4.0 as 4."""
    return int(number) if number == int(number) else number


def rate(text: str) -> float | int:
    """A number above 0, of requests per second. Raises: ValueError."""
    number = float(text)
    if not number > 0:
        raise ValueError(f"{text} is not above 0")
    return whole(number)


def at_least(text: str) -> str:
    """`4+`, `4x`, `8..` and `8..16` without what is more than the least: a request, not a wish."""
    return re.split(r"\+|x$|\.\.", text.strip(), maxsplit=1)[0]
