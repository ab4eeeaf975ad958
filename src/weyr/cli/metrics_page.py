"""What does the reference of metrics say? The table that the plane writes by, as one Markdown page.

python -m weyr.cli.metrics_page > docs/reference/metrics.md
"""

from collections.abc import Iterator

from weyr.core.serving_metrics import DEVICES, ENGINES, MONEY, PLANE, REPLICA, Metric

_HEAD = """# Metrics of endpoints

Generated from the table that they are written by; do not edit. `python -m weyr.cli.metrics_page` makes it anew.
[How to scrape them](../guides/observing-an-endpoint.md).

Seconds and bytes throughout. `version` is that of the model or the name of a variant; `none` is for requests that were
given up before one was chosen. `caller` is a principal's name, `other` for those who are not among the busiest.
"""
_PARTS = (
    ("The inference plane", PLANE),
    ("The server: money", MONEY),
    ("The server: devices of its machine", DEVICES),
    ("The server: known engines, as they say of themselves", ENGINES),
    ("Weyr's own model server", REPLICA),
)


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, *(_part(title, metrics) for title, metrics in _PARTS)])


def _part(title: str, metrics: tuple[Metric, ...]) -> str:
    head = f"## {title}\n\n| metric | sort | labels | is | in OpenTelemetry |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(_cells(metric))} |\n" for metric in metrics)


def _cells(metric: Metric) -> Iterator[str]:
    yield f"`{metric.name}`"
    yield metric.sort
    yield ", ".join(f"`{label}`" for label in metric.labels)
    yield metric.text
    yield metric.otel


if __name__ == "__main__":
    print(page(), end="")
