"""What has this machine for tasks of no pool?"""

import os

from weyr.engines.local.tasks import machine_memory_bytes
from weyr.reconcile.scheduler import Room


def machine_room() -> Room:
    """All of it; nodes of pools are slices of the same."""
    return Room(os.cpu_count() or 1, machine_memory_bytes(), is_sliced=True)
