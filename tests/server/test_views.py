"""How values look as JSON where they are no ordinary ones."""

import json
import math

from weyr.cli.curve import number_text
from weyr.server.views import run_detail_json
from weyr.tracking.entities import RunStatus
from weyr.tracking.overview import Point, RunDetail, RunSummary


def test_a_loss_that_diverged_is_told() -> None:
    """JSON has no NaN: one such run made the list of all runs an error of ours."""
    summary = RunSummary("r1", "e", "n", RunStatus.FINISHED, 1.0, 2.0, (("loss", math.nan), ("up", math.inf)))
    detail = RunDetail(summary, (("loss", (Point(0, 2.5, 1.0), Point(1, math.nan, 2.0))),))

    told = json.loads(json.dumps(run_detail_json(detail), allow_nan=False))

    assert told["metrics"] == {"loss": "NaN", "up": "Infinity"}
    assert told["history"] == {"loss": [[0, 2.5, 1.0]]}
    assert [number_text(float(value)) for value in told["metrics"].values()] == ["nan", "inf"]
