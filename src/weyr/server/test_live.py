"""What is watched of a version survives the plane's restart, and its quantiles are Prometheus'."""

from weyr.core.routes import VersionCounts
from weyr.server.live import RATES_OVER_S, Line
from weyr.server.live_views import quantile


def test_a_plane_that_begins_anew_takes_nothing_back() -> None:
    """Its counts begin at nothing; what was answered before stays answered."""
    line = Line()
    for at, requests in ((0.0, 100), (10.0, 150), (20.0, 20)):
        line.counted(at, VersionCounts("1", requests=requests, predictions=requests, completion_tokens=2 * requests))

    assert (line.now.requests, line.now.tokens) == (70, 140)


def test_rates_are_of_the_last_minute() -> None:
    """What was an hour ago says nothing of now, and costs no memory."""
    line = Line()
    for number in range(100):
        line.counted(number * 10.0, VersionCounts("1", requests=number))

    assert line.counts[-1][0] - line.counts[0][0] == RATES_OVER_S


def test_a_quantile_lies_straight_within_its_bucket() -> None:
    """The table and a dashboard say the same; of nothing there is none."""
    assert quantile([0, 0, 10], 0.5, (0.001, 0.0025, 0.005)) == 0.00375
    assert quantile([0] * 15, 0.5) is None
    assert quantile([], 0.5) is None
