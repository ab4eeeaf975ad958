"""Which picture does Grafana draw of endpoints? A dashboard made from the table of metrics: `weyr metrics dashboard`.

Each query names its metrics by the table's values, so it cannot ask for one that nobody writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weyr.core import serving_metrics as names
from weyr.core.serving_metrics import Metric

WIDTH, HEIGHT = 8, 8
_CHOSEN = 'endpoint=~"$endpoint",version=~"$version"'
_EVERY = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """One line of a panel: PromQL, and what the line is called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `unit` is Grafana's word."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    text: str = ""


def _rate(metric: Metric, by: str = "endpoint, version", more: str = "", chosen: str = _CHOSEN) -> str:
    name = metric.sample("_count") if metric.sort == "histogram" else metric.sample()
    return f"sum by ({by}) (rate({name}{{{chosen}{more}}}[{_EVERY}]))"


def _quantile(metric: Metric, quantile: float, by: str = "endpoint, version", chosen: str = _CHOSEN) -> str:
    return (
        f"histogram_quantile({quantile:g}, sum by (le, {by}) (rate({metric.sample('_bucket')}{{{chosen}}}[{_EVERY}])))"
    )


def _quantiles(metric: Metric, legend: str = "{{endpoint}} {{version}}") -> tuple[Query, ...]:
    by = "endpoint, version"
    return tuple(Query(_quantile(metric, q, by), f"{legend} p{q * 100:g}") for q in (0.5, 0.99))


def _mean(metric: Metric) -> str:
    total, count = (f"rate({metric.sample(part)}{{{_CHOSEN}}}[{_EVERY}])" for part in ("_sum", "_count"))
    return f"sum by (endpoint, version) ({total}) / sum by (endpoint, version) ({count})"


def _gauge(metric: Metric, chosen: str = _CHOSEN) -> str:
    return f"{metric.sample()}{{{chosen}}}"


_NAME = "{{endpoint}} {{version}}"
_ENDPOINT = 'endpoint=~"$endpoint"'
_FAILED = ',status=~"5.."'

PANELS: tuple[Panel, ...] = (
    Panel("Requests", "reqps", (Query(_rate(names.REQUESTS), _NAME),)),
    Panel("Errors", "percentunit", (
        Query(f"{_rate(names.REQUESTS, more=_FAILED)} / {_rate(names.REQUESTS)}", _NAME),
    ), "Answers of 500 and above, of all."),
    Panel("Latency", "s", _quantiles(names.DURATION)),
    Panel("Time to first token", "s", _quantiles(names.FIRST_TOKEN)),
    Panel("Between two tokens", "s", _quantiles(names.INTER_TOKEN)),
    Panel("Tokens per second", "short", (
        Query(_rate(names.PROMPT_TOKENS), f"{_NAME} in"), Query(_rate(names.GENERATION_TOKENS), f"{_NAME} out"),
    )),
    Panel("Waiting for a replica", "s", _quantiles(names.QUEUE)),
    Panel("Under way and waiting", "short", (
        Query(_gauge(names.INFLIGHT, _ENDPOINT), "{{endpoint}} under way"),
        Query(_gauge(names.WAITING, _ENDPOINT), "{{endpoint}} waiting"),
    )),
    Panel("Replicas", "short", (Query(_gauge(names.REPLICAS), _NAME),)),
    Panel("Cold starts", "reqps", (
        Query(_rate(names.COLD_START), _NAME),
    ), "Requests that found no replica ready."),
    Panel("How long a cold start held a request", "s", _quantiles(names.COLD_START)),
    Panel("Busiest callers", "reqps", (
        Query(f"topk(10, {_rate(names.REQUESTS, 'endpoint, caller')})", "{{caller}} {{endpoint}}"),
    )),
    Panel("Callers that left", "reqps", (Query(_rate(names.DISCONNECTS), _NAME),)),
    Panel("Copies for shadows", "reqps", (
        Query(_rate(names.SHADOWS, "endpoint, version, outcome"), _NAME + " {{outcome}}"),
    )),
    Panel("Fallbacks", "reqps", (
        Query(_rate(names.FALLBACKS, "endpoint, by", chosen=_ENDPOINT), "{{endpoint}} by {{by}}"),
    )),
    Panel("Bytes", "Bps", (
        Query(_rate(names.REQUEST_BYTES), f"{_NAME} in"), Query(_rate(names.RESPONSE_BYTES), f"{_NAME} out"),
    )),
    Panel("Rows of a batch", "short", (Query(_mean(names.BATCH_ROWS), f"{_NAME} mean"),), "Weyr's own model server."),
    Panel("How full batches are", "percentunit", (Query(_mean(names.BATCH_FILL), f"{_NAME} mean"),)),
    Panel("Time in the model", "s", _quantiles(names.COMPUTE)),
    Panel("Waiting in a replica", "s", _quantiles(names.BATCH_QUEUE)),
    Panel("Memory of accelerators", "bytes", (
        Query(_gauge(names.GPU_MEMORY, ""), "{{device}} {{state}}"),
        Query(
            f'{_gauge(names.GPU_OF)} * on (device) group_left {names.GPU_MEMORY.sample()}{{state="used"}}',
            _NAME + " {{replica}} {{device}} used",
        ),
        Query(_gauge(names.ALLOCATED), _NAME + " {{device}} {{state}}"),
    ), "As the driver says, and as PyTorch has divided it: reserved and not in use is fragmentation, or a cache."),
    Panel("Accelerators at work", "percentunit", (Query(_gauge(names.GPU_BUSY, ""), "{{device}} {{model}}"),)),
    Panel("Cost of 1,000 requests", "currencyUSD", (Query(_gauge(names.COST_PER_1000), _NAME),), "Idle time included."),
    Panel("Cost of a million tokens", "currencyUSD", (Query(_gauge(names.COST_PER_MILLION), _NAME),)),
    Panel("Cost per hour", "currencyUSD", (
        Query(f"sum by (endpoint, version) (rate({names.COST.sample()}{{{_CHOSEN}}}[{_EVERY}])) * 3600", _NAME),
    )),
    Panel("Payload log", "short", (
        Query(_rate(names.LOGGED, "endpoint", chosen=_ENDPOINT), "{{endpoint}} written"),
        Query(_rate(names.UNLOGGED, "endpoint, reason", chosen=_ENDPOINT), "{{endpoint}} dropped: {{reason}}"),
    )),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it; it asks for the data source. Schema 39 is Grafana 10's."""
    return {
        "__inputs": [{"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}],
        "uid": "weyr-endpoints",
        "title": "Weyr: endpoints",
        "tags": ["weyr", "inference"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": []},
        "templating": {"list": [_variable("endpoint"), _variable("version", f"{{{_ENDPOINT}}}")]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def exprs() -> Sequence[str]:
    """Every query of the dashboard."""
    return [query.expr for panel in PANELS for query in panel.queries]


def _variable(label: str, of: str = "") -> dict[str, Any]:
    query = f"label_values({names.REPLICAS.sample()}{of}, {label})"
    return {
        "name": label, "label": label.capitalize(), "type": "query", "datasource": _source(), "refresh": 2,
        "query": query, "definition": query, "multi": True, "includeAll": True, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 24 // WIDTH)
    return {
        "id": number + 1,
        "title": panel.title,
        "description": panel.text,
        "type": "timeseries",
        "datasource": _source(),
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {"fillOpacity": 8}}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(65 + at), "datasource": _source(), "expr": query.expr, "legendFormat": query.legend}
            for at, query in enumerate(panel.queries)
        ],
    }


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
