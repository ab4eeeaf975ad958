"""Spot, on demand, or wait? For jobs with a deadline."""

from weyr.scheduling.spot.deciding import Moment, Runs, Terms, decide
from weyr.scheduling.spot.lasting import Spells
from weyr.scheduling.spot.zones import best_zone

__all__ = ["Moment", "Runs", "Spells", "Terms", "best_zone", "decide"]
