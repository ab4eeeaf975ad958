"""A world to try things in: virtual time, an engine whose calls and nodes fail, a store that loses power.

The guide is docs/guides/simulating.md.
"""

from weyr.sim.broken import Broken
from weyr.sim.clock import VirtualClock
from weyr.sim.engine import SimEngine
from weyr.sim.faults import FaultRates
from weyr.sim.nodes import NodeRates
from weyr.sim.scripts import Script
from weyr.sim.store import SimDatabase, StoreRates
from weyr.sim.trouble import Trouble
from weyr.sim.world import SimWorld

__all__ = [
    "Broken",
    "FaultRates",
    "NodeRates",
    "Script",
    "SimDatabase",
    "SimEngine",
    "SimWorld",
    "StoreRates",
    "Trouble",
    "VirtualClock",
]
