"""Which schedules are due? Each firing is one event with a name of its own, so that none is run twice."""

from collections.abc import Sequence

from weyr.core.capability import ScheduleTrigger
from weyr.core.cron import next_after, parse_cron, zone_of
from weyr.gateway.functions.event import Event, id_of
from weyr.gateway.functions.settings import Setting
from weyr.gateway.functions.store import EventStore


class Schedules:
    """When each schedule fires next. A firing that was missed, as the machine was off, is made up for once."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._next: dict[tuple[str, str], float] = {}

    async def fire(self, now: float, settings: Sequence[Setting]) -> None:
        """Takes in an event for each schedule whose time has come. Raises: sqlite3.Error."""
        for setting in settings:
            for trigger in setting.body.schedules:
                await self._fire(now, setting.name, trigger)

    async def _fire(self, now: float, name: str, trigger: ScheduleTrigger) -> None:
        key = f"{trigger.cron} {trigger.zone} {trigger.event}"
        cron, zone = parse_cron(trigger.cron), zone_of(trigger.zone)
        due_at = self._next.get((name, key))
        if due_at is None:
            fired_at = self._store.fired_at(name, key)
            if fired_at is None:
                await self._store.begin_schedule(name, key, now)
            due_at = self._next[name, key] = next_after(cron, zone, now if fired_at is None else fired_at)
        if due_at > now:
            return
        id = id_of(name, "schedule", key, f"{due_at:.0f}")
        event = Event(id, name, "schedule", trigger.event.encode(), accepted_at=now, due_at=now)
        await self._store.accept_scheduled(event, key)
        # From now on, not from when it was due: what was missed is made up for once, not a hundred times.
        self._next[name, key] = next_after(cron, zone, now)
