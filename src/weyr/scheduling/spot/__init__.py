"""Spot, on demand, or wait? For jobs with a deadline. Pure, and importable alone: plain values in, plain values out.

    terms = Terms(launch_s=180, step_s=300, spot_per_hour=0.97, on_demand_per_hour=3.06, work_s=172_800, slack_s=14_400)
    spells, runs, starting_s = Spells(), Runs.NOTHING, 0.0
    # once per look, every step_s: is spot there, and what should run until the next?
    spells = spells.seen(is_there, terms.step_s)
    chosen = decide(terms, Moment(work_left_s, time_left_s, is_there, runs, starting_s), spells)

What was on spot when it went runs nothing at the next look. Whoever changes what runs has `launch_s` of start to come
(`starting_s`), and less of it at each look. Of several zones, `best_zone(spells_by_zone, prices, launch_s)` says which
to take. Nothing is learnt but from `Spells`: what was seen of spot since the job began.
"""

from weyr.scheduling.spot.deciding import Moment, Runs, Terms, decide
from weyr.scheduling.spot.lasting import Spells
from weyr.scheduling.spot.zones import best_zone

__all__ = ["Moment", "Runs", "Spells", "Terms", "best_zone", "decide"]
