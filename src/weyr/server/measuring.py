"""What do replicas say of themselves, of those that scale by it? Their pages, read every few seconds in a thread."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isfinite

from prometheus_client.parser import text_string_to_metric_families

from weyr.compose.metric_pages import MetricPage, metric_pages
from weyr.core.ref import Ref
from weyr.core.scaling import Measured
from weyr.reconcile.loop import Loop
from weyr.reconcile.ports import Log
from weyr.server.page_text import page_text

EVERY_S = 2.0
AT_ONCE = 16
GAUGES = frozenset({"gauge", "unknown", "untyped"})


def start_measuring(loop: Loop, now: Callable[[], float], log: Log) -> Callable[[], None]:
    """Reads from now on, and tells the loop. Gives what ends that."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(EVERY_S):
            try:
                with loop.lock:
                    pages = list(metric_pages(loop.world))
                measured = read(pages, now())
                with loop.lock:
                    loop.scaling.measured = measured
            except Exception as e:  # noqa: BLE001 - what cannot be read now may be read later, and is unknown meanwhile
                log("measuring.failed", error=repr(e))

    threading.Thread(target=run, name="measuring", daemon=True).start()
    return stopping.set


def read(pages: Sequence[MetricPage], now: float) -> Mapping[Ref, Measured]:
    """What each says, or why that is not known."""
    if not pages:
        return {}
    values: dict[Ref, dict[str, float]] = {}
    troubles: dict[Ref, dict[str, str]] = {}
    with ThreadPoolExecutor(min(AT_ONCE, len(pages))) as askers:
        for page, said in zip(pages, askers.map(_said, pages), strict=True):
            if isinstance(said, str):
                troubles.setdefault(page.ref, {})[page.part] = f"replica {page.part}: {said}"
            else:
                values.setdefault(page.ref, {})[page.part] = said
    return {ref: Measured(now, values.get(ref, {}), troubles.get(ref, {})) for ref in values.keys() | troubles.keys()}


def _said(page: MetricPage) -> float | str:
    try:
        return gauge_of(page_text(page.address, page.path), page.metric, page.path)
    except (OSError, ValueError) as e:
        return str(e)


def gauge_of(text: str, name: str, path: str) -> float:
    """The sum of a gauge's samples on a page. Raises: ValueError with a clause that says why there is none."""
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError as e:
        raise ValueError(f"{path} is no page in Prometheus' text format") from e
    for family in families:
        samples = [sample.value for sample in family.samples if sample.name == name]
        if not samples:
            continue
        if family.type not in GAUGES:
            raise ValueError(f"{name} is a {family.type} at {path}, and only a gauge says how much there is now")
        if not isfinite(total := sum(samples)) or total < 0:
            raise ValueError(f"{name} is {total:g} at {path}")
        return total
    raise ValueError(f"{path} has no {name}")
