"""A world to try things in: virtual time, and an engine that loses replies, is slow, and crashes."""

from weyr.sim.clock import VirtualClock
from weyr.sim.engine import SimEngine
from weyr.sim.scripts import Script

__all__ = ["Script", "SimEngine", "VirtualClock"]
