"""In which of several zones should spot be started? Pure."""

from collections.abc import Sequence

from weyr.scheduling.spot.lasting import CASES, HAZARDS, Spells, phase_of


def best_zone(zones: Sequence[Spells], prices: Sequence[float], launch_s: float) -> int | None:
    """The place in `zones` of the one that costs least per hour of work, counting the starts it will need again.

    Takes each zone's record as of now and its price per hour; gives None where spot is nowhere. The first of equals.
    """
    there = [place for place, zone in enumerate(zones) if zone.is_there]
    return min(
        there, key=lambda place: prices[place] * (1 + ends_per_hour(zones[place]) * launch_s / 3600), default=None
    )


def ends_per_hour(zone: Spells) -> float:
    """How often presence as old as this one's ends, as far as its own spells tell."""
    scale = sum(weight * ends for weight, (ends, _) in zip(zone.weights(), CASES, strict=True))
    return scale * HAZARDS[phase_of(zone.age_s)]
