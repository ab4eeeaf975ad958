"""What is read from each engine's page, as its documentation shows it?"""

import pytest

from weyr.compose.engine_pages import Page
from weyr.kinds.ml.endpoint.engines import ENGINES
from weyr.server.engines import Busy, busy_of

PAGES = {
    "vllm": (
        """
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="m"} 10.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 20.0
""",
        Busy(7, 2, 0.75, 10, 20),
    ),
    "sglang": (
        """
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="m"} 161.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="m"} 2826.0
# TYPE sglang:token_usage gauge
sglang:token_usage{model_name="m"} 0.28
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="m"} 8.128902e+06
# TYPE sglang:generation_tokens_total counter
sglang:generation_tokens_total{model_name="m"} 7.557572e+06
""",
        Busy(161, 2826, 0.28, 8128902, 7557572),
    ),
    "tgi": (
        """
# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 4
# TYPE tgi_queue_size gauge
tgi_queue_size 7
# TYPE tgi_request_input_length histogram
tgi_request_input_length_bucket{le="+Inf"} 2
tgi_request_input_length_sum 100
tgi_request_input_length_count 2
# TYPE tgi_request_generated_tokens histogram
tgi_request_generated_tokens_bucket{le="+Inf"} 2
tgi_request_generated_tokens_sum 8123
tgi_request_generated_tokens_count 2
""",
        Busy(4, 7, None, 100, 8123),
    ),
    "llama.cpp": (
        """
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 1
""",
        Busy(2, 1),
    ),
    "triton": (
        """
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="a",version="1"} 1
nv_inference_pending_request_count{model="b",version="1"} 2
""",
        Busy(waiting=3),
    ),
    "tensorflow-serving": (':tensorflow:serving:request_count{status="OK"} 3\n', Busy()),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engines_page_is_understood(engine: str) -> None:
    """Of several workers the sum counts, and of their caches the fullest: it is the one that makes others wait."""
    page, expected = PAGES[engine]

    assert busy_of(page, page_of(engine)) == expected


def test_what_is_no_page_of_metrics_is_not_taken_for_an_idle_engine() -> None:
    """Another server may answer at its port."""
    with pytest.raises(ValueError, match=r"\S"):
        busy_of("<html>not found</html>", page_of("vllm"))


def page_of(engine: str) -> Page:
    known = ENGINES[engine]
    return Page("shop/chat", "1", engine, 1, known.metrics, known.gauges)
