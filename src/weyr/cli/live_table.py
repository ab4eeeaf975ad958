"""How are endpoints doing, in lines that a person reads? Rows of `/v1/endpoints/live`."""

from collections.abc import Mapping, Sequence
from typing import Any

from weyr.cli.screen import table
from weyr.core.units import money_text

HEADINGS = ("endpoint", "version", "req/s", "err/s", "p50", "p99", "first token", "tokens/s", "replicas", "waiting",
            "per 1,000", "per M tokens")  # fmt: skip
_RIGHT = frozenset(range(2, len(HEADINGS)))


def live_table(answer: Mapping[str, Any]) -> str:
    """A row for each version, and what waits for the endpoint as a whole in its first."""
    rows = [
        _row(endpoint, version, is_first=number == 0)
        for endpoint in answer.get("endpoints") or ()
        for number, version in enumerate(endpoint.get("versions") or ({},))
    ]
    return table(HEADINGS, rows, _RIGHT)


def _row(endpoint: Mapping[str, Any], version: Mapping[str, Any], is_first: bool) -> Sequence[str]:
    cost = version.get("cost") or {}
    name = f"{version.get('version', '')}{' (shadow)' if version.get('is_shadow') else ''}"
    return (
        f"{endpoint.get('stack')}/{endpoint.get('name')}" if is_first else "",
        name,
        _number(version.get("per_s")),
        _number(version.get("errors_per_s")),
        _time(version.get("p50_s")),
        _time(version.get("p99_s")),
        _time(version.get("first_token_p50_s")),
        _number(version.get("tokens_per_s")),
        str(version.get("replicas", "")),
        str(endpoint.get("waiting", "")) if is_first else "",
        *unit_cost_cells(cost),
    )


def unit_cost_cells(cost: Mapping[str, Any]) -> tuple[str, str]:
    """What 1,000 requests cost, and a million tokens; "" where nothing was answered."""
    return _money(cost.get("per_thousand_requests_micros")), _money(cost.get("per_million_tokens_micros"))


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.1f}"


def _time(seconds: Any) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _money(micros: Any) -> str:
    return "" if micros is None else money_text(int(micros))
