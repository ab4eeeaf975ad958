"""How has PyTorch divided an accelerator's memory? Told for the process that has it loaded; it is not loaded for this.

Reserved is what PyTorch took from the driver, in use what tensors have of it. What is split off and free is the sum of
pieces that no larger tensor fits in: memory that is there and cannot be had.
"""

import sys
from collections.abc import Iterator
from typing import Any

from weyr.core.serving_metrics import ALLOCATED

_STATES = (
    ("reserved", "reserved_bytes.all.current"),
    ("used", "allocated_bytes.all.current"),
    ("split", "inactive_split_bytes.all.current"),
)
"""What is told, and what `torch.cuda.memory_stats` calls it."""


def device_lines(torch: Any = None) -> Iterator[str]:
    """Prometheus text. Takes PyTorch, by default the one that is loaded."""
    yield ALLOCATED.head().rstrip("\n")
    torch = torch or sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return
    for index in range(torch.cuda.device_count()):
        stats = torch.cuda.memory_stats(index)
        for state, name in _STATES:
            yield f'{ALLOCATED.name}{{device="{index}",state="{state}"}} {stats.get(name, 0)}'
