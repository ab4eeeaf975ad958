"""How does a spec say when something may run? The same field for pools, services and sessions."""

from typing import Annotated

from weyr.core import opening
from weyr.core.cron_fields import ZoneName
from weyr.core.opening import hours_of
from weyr.core.schema import SpecPart, checked, field
from weyr.core.units import money_text


class Calendar(SpecPart):
    """Days and hours at which something may run; outside of them nothing of it does."""

    open: tuple[Annotated[str, checked(hours_of)], ...] = field(
        description="Days and hours, such as mon-fri 08:00-20:00.", min_length=1, examples=[["mon-fri 08:00-20:00"]]
    )
    zone: ZoneName = field("UTC", description="The time zone, such as Europe/Berlin.")

    def is_open(self, now: float) -> bool:
        return opening.is_open(self.open, self.zone, now)

    def changes_at(self, now: float) -> float:
        """When it opens or closes next, in Unix seconds; infinity where it never does."""
        return opening.next_change(self.open, self.zone, now)

    def closes_after(self, since: float) -> float:
        """When it closes for the first time after `since`: what is started while it is closed runs until then too."""
        return opening.next_close(self.open, self.zone, since)

    @property
    def hours_per_month(self) -> float:
        return opening.open_hours_per_month(self.open)

    def closed_text(self, now: float, wake: str, rate_micros_per_hour: int = 0) -> str:
        """That it is closed, until when, what that saves and what opens it before."""
        saved = f", which saves {money_text(rate_micros_per_hour)} per hour" if rate_micros_per_hour else ""
        until = opening.moment_text(self.changes_at(now), self.zone)
        return f"closed by its calendar until {until}; nothing of it runs{saved}. {wake} starts it now"
