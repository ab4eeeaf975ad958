"""What the model server tells Prometheus is what the reference of metrics lists, and promtool accepts it."""

import json
import subprocess

from prometheus_client.parser import text_string_to_metric_families
from served_models import Identity, ask, served

from weyr.core.serving_metrics import REPLICA
from weyr.runtime.serve.model import Model

ASKED = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()


def test_a_model_servers_metrics_are_those_of_the_table() -> None:
    """Whoever writes an alert by the reference waits for something that is there, under its name and sort."""
    with served([Model("m", "1", Identity())]) as port:
        assert ask(port, "/v2/models/m/infer", ASKED)[0] == 200
        text = ask(port, "/metrics")[1].decode()

    told = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in text_string_to_metric_families(text)
    }
    assert told == {metric.name: (metric.sort, metric.text) for metric in REPLICA}
    assert 'weyr_replica_batch_rows_count{model="m",version="1"} 1' in text
    words = ["promtool", "check", "metrics"]
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
