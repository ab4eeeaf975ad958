"""How does a spec say a time that comes again? The types of its fields, for every kind that has one."""

from typing import Annotated

from weyr.core.cron import parse_cron, zone_of
from weyr.core.schema import checked


def _cron(text: str) -> str:
    parse_cron(text)
    return text


def _zone(text: str) -> str:
    zone_of(text)
    return text


CronText = Annotated[str, checked(_cron)]
ZoneName = Annotated[str, checked(_zone)]
