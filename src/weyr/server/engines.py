"""How busy are the known engines, by their own word? Their metrics pages, asked when somebody asks us.

An engine queues inside: what it says of itself tells a full cache from a slow model, which the plane cannot see. The
plane's own counts hold every request that an engine holds, so scaling goes by those.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from weyr.compose.engine_pages import Page
from weyr.server.page_text import page_text

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Busy:
    """What an engine says; None for what it does not tell."""

    running: float | None = None
    waiting: float | None = None
    cache: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None


def asked(pages: Sequence[Page]) -> Mapping[Page, Busy | None]:
    """What each says; None where it does not answer. Promises: ends soon after a second for so many as are AT_ONCE."""
    if not pages:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(pages))) as askers:
        return dict(zip(pages, askers.map(_asked, pages), strict=True))


def _asked(page: Page) -> Busy | None:
    try:
        return busy_of(page_text(f"127.0.0.1:{page.port}", page.path), page)
    except (OSError, ValueError):
        return None  # it starts, it ends, or what it wrote is no page of metrics: nothing is known of it


def busy_of(text: str, page: Page) -> Busy:
    """Reads a page in Prometheus' text format. Raises: ValueError where it is none."""
    gauges = page.gauges
    samples: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample.value)

    def summed(name: str) -> float | None:
        return sum(samples[name]) if name in samples else None

    return Busy(
        running=summed(gauges.inflight),
        waiting=summed(gauges.waiting),
        cache=next((max(samples[name]) for name in gauges.cache if name in samples), None),
        tokens_in=summed(gauges.tokens_in),
        tokens_out=summed(gauges.tokens_out),
    )
