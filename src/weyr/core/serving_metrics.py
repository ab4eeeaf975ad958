"""What is measured of endpoints, under which names? One table, from which plane, dashboard and reference are made.

Names follow Prometheus' conventions (base units, `_total` for counters); what each is called by OpenTelemetry's
conventions for HTTP and generative AI stands beside it. A dashboard that is generated from names of this table cannot
ask for one that nobody writes.
"""

from dataclasses import dataclass
from typing import Literal

Sort = Literal["counter", "gauge", "histogram"]

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TOKEN_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.4, 1.0, 2.5, 10.0)
"""Between two tokens: from what a small model does to what a reader takes for the end."""
COLD_BUCKETS_S = (0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

OTHER = "other"
"""The caller that stands for all who are not among the busiest."""
NO_VERSION = "none"
"""The version of a request that was given up before one was chosen for it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels` are those of each sample, without a histogram's `le`; `otel` is OpenTelemetry's name."""

    name: str
    sort: Sort
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    otel: str = ""

    def sample(self, suffix: Literal["", "_bucket", "_sum", "_count"] = "") -> str:
        """The name of its samples. Raises: AssertionError for a suffix that only histograms have."""
        assert bool(suffix) == (self.sort == "histogram"), f"{self.name} has no sample {suffix!r}"
        return f"{self.name}{suffix}"

    def head(self) -> str:
        """The two lines that come before its samples."""
        return f"# HELP {self.name} {self.text}\n# TYPE {self.name} {self.sort}\n"


_VERSION = ("endpoint", "version")
_CALLER = (*_VERSION, "caller")

REQUESTS = Metric("weyr_inference_requests_total", "counter", "Requests answered, by status; 499: the caller left.",
                  (*_CALLER, "status"), otel="http.server.request.duration (its count)")  # fmt: skip
PREDICTIONS = Metric(
    "weyr_inference_predictions_total",
    "counter",
    "Questions that were answered with what was asked for: what unit costs are divided by.",
    _VERSION,
)
DURATION = Metric("weyr_inference_request_duration_seconds", "histogram", "From the whole head to the whole answer.",
                  _VERSION, LATENCY_BUCKETS_S, "http.server.request.duration")  # fmt: skip
QUEUE = Metric("weyr_inference_queue_seconds", "histogram", "From the whole head until a replica was sent it.",
               _VERSION, LATENCY_BUCKETS_S)  # fmt: skip
FIRST_TOKEN = Metric("weyr_inference_time_to_first_token_seconds", "histogram",
                     "From the whole head to the first event of a streamed answer.",
                     _VERSION, LATENCY_BUCKETS_S, "gen_ai.server.time_to_first_token")  # fmt: skip
INTER_TOKEN = Metric("weyr_inference_inter_token_latency_seconds", "histogram",
                     "Between two events of a streamed answer; of several that came at once, the gap is shared.",
                     _VERSION, TOKEN_BUCKETS_S, "gen_ai.server.time_per_output_token")  # fmt: skip
PROMPT_TOKENS = Metric("weyr_inference_prompt_tokens_total", "counter",
                       "Tokens that callers sent, as the answers' usage says.", _CALLER,
                       otel="gen_ai.client.token.usage, input")  # fmt: skip
GENERATION_TOKENS = Metric("weyr_inference_generation_tokens_total", "counter",
                           "Tokens in answers, as their usage says; without one, the events of a stream.", _CALLER,
                           otel="gen_ai.client.token.usage, output")  # fmt: skip
COLD_START = Metric("weyr_inference_cold_start_seconds", "histogram",
                    "How long requests were held that found no replica ready, answered or not.",
                    _VERSION, COLD_BUCKETS_S)  # fmt: skip
REQUEST_BYTES = Metric("weyr_inference_request_bytes_total", "counter", "Bytes of requests' bodies.", _CALLER,
                       otel="http.server.request.body.size (its sum)")  # fmt: skip
RESPONSE_BYTES = Metric("weyr_inference_response_bytes_total", "counter", "Bytes of replicas' answers, heads included.",
                        _CALLER, otel="http.server.response.body.size (its sum)")  # fmt: skip
DISCONNECTS = Metric("weyr_inference_disconnects_total", "counter", "Callers that left before their answer was whole.",
                     _CALLER)  # fmt: skip
SHADOWS = Metric("weyr_inference_shadow_requests_total", "counter", "Copies for a shadow, by what came of them.",
                 (*_VERSION, "outcome"))  # fmt: skip
FALLBACKS = Metric("weyr_inference_fallbacks_total", "counter", "Requests that one of the fallback chain was sent.",
                   ("endpoint", "by"))  # fmt: skip
INFLIGHT = Metric("weyr_inference_inflight", "gauge", "Requests under way, held ones included.", ("endpoint",),
                  otel="http.server.active_requests")  # fmt: skip
WAITING = Metric("weyr_inference_waiting", "gauge", "Requests that wait for a replica.", ("endpoint",))
REPLICAS = Metric("weyr_inference_replicas", "gauge", "Replicas that requests are sent to.", _VERSION)
CONNECTIONS = Metric("weyr_inference_connections", "gauge", "Callers connected now.")
GENERATION = Metric("weyr_inference_routes_generation", "gauge", "The routes in force.")
REFUSALS = Metric("weyr_inference_refusals_total", "counter", "Requests refused before they reached an endpoint.",
                  ("status",))  # fmt: skip
LOGGED = Metric("weyr_inference_log_records_total", "counter", "Exchanges written to payload logs.", ("endpoint",))
UNLOGGED = Metric("weyr_inference_log_dropped_total", "counter",
                  "Exchanges chosen for payload logs and dropped instead.", ("endpoint", "reason"))  # fmt: skip
SPANS = Metric("weyr_inference_spans_total", "counter", "Spans sent to the collector.")
SPANS_DROPPED = Metric("weyr_inference_spans_dropped_total", "counter", "Spans dropped: too many, or no collector.")

PLANE = (
    REQUESTS, DURATION, QUEUE, FIRST_TOKEN, INTER_TOKEN, PROMPT_TOKENS, GENERATION_TOKENS, COLD_START, REQUEST_BYTES,
    RESPONSE_BYTES, DISCONNECTS, INFLIGHT, WAITING, REPLICAS, CONNECTIONS, GENERATION, REFUSALS, LOGGED, UNLOGGED,
    SHADOWS, FALLBACKS, SPANS, SPANS_DROPPED, PREDICTIONS,
)  # fmt: skip
"""What the inference plane writes of itself."""

_MONEY = (*_VERSION, "currency")
COST = Metric("weyr_endpoint_cost_total", "counter", "What a version's replicas cost since the server began.", _MONEY)
COST_PER_1000 = Metric("weyr_endpoint_cost_per_thousand_requests", "gauge",
                       "What 1,000 requests cost over the last hour, idle time included.", _MONEY)  # fmt: skip
COST_PER_MILLION = Metric("weyr_endpoint_cost_per_million_tokens", "gauge",
                          "What a million tokens cost over the last hour, idle time included.", _MONEY)  # fmt: skip
MONEY = (COST, COST_PER_1000, COST_PER_MILLION)
"""What the server adds, which has the ledger."""

_DEVICE = ("device", "model")
GPU_MEMORY = Metric("weyr_gpu_memory_bytes", "gauge", "Memory of a device, as its driver says.", (*_DEVICE, "state"))
GPU_BUSY = Metric("weyr_gpu_utilization_ratio", "gauge", "Share of the last second that it computed.", _DEVICE)
GPU_OF = Metric("weyr_gpu_replica", "gauge", "1 for each device that a replica may see: whose it is.",
                ("device", *_VERSION, "replica"))  # fmt: skip
DEVICES = (GPU_MEMORY, GPU_BUSY, GPU_OF)
"""What NVML says of this machine's devices, where there are any."""

_MODEL = ("model", "version")
BATCH_ROWS = Metric("weyr_replica_batch_rows", "histogram", "Rows of one call of the model.", _MODEL)
BATCH_FILL = Metric("weyr_replica_batch_fill_ratio", "histogram",
                    "Rows of one call, of the most that a batch may have.", _MODEL)  # fmt: skip
BATCH_QUEUE = Metric("weyr_replica_queue_seconds", "histogram", "How long a request waited for its call.", _MODEL)
COMPUTE = Metric("weyr_replica_compute_seconds", "histogram", "How long a call of the model took.", _MODEL)
ALLOCATED = Metric("weyr_replica_accelerator_bytes", "gauge",
                   "Memory that PyTorch has on a device: reserved of it, in use of that, and in pieces of what is not.",
                   ("device", "state"))  # fmt: skip
_REPLICA_COUNTS = (
    Metric("weyr_replica_requests_total", "counter", "Requests answered, by status.", ("status",)),
    Metric("weyr_replica_ready", "gauge", "1 once the models are loaded and warm."),
    Metric("weyr_replica_models", "gauge", "Models in memory."),
    Metric("weyr_replica_models_bytes", "gauge", "What they take."),
    Metric("weyr_replica_waiting", "gauge", "Requests that wait."),
    Metric("weyr_replica_loads_total", "counter", "Models loaded."),
    Metric("weyr_replica_evictions_total", "counter", "Models that had to leave the memory."),
    Metric("weyr_replica_calls_total", "counter", "Calls of the model.", _MODEL),
    Metric("weyr_replica_rows_total", "counter", "Rows computed.", _MODEL),
    Metric("weyr_replica_batched_calls_total", "counter", "Calls that served several requests.", _MODEL),
    Metric("weyr_replica_quick_calls_total", "counter",
           "Calls computed on the loop, because they are shorter than a hop to a thread.", _MODEL),
    Metric("weyr_replica_failures_total", "counter", "Requests that the model failed.", _MODEL),
    Metric("weyr_replica_refused_total", "counter", "Requests whose input the model did not take.", _MODEL),
    Metric("weyr_replica_expired_total", "counter", "Requests that waited longer than they said they would.", _MODEL),
    Metric("weyr_replica_generations_total", "counter", "Texts generated.", _MODEL),
    Metric("weyr_replica_prompt_tokens_total", "counter", "Tokens read.", _MODEL),
    Metric("weyr_replica_generated_tokens_total", "counter", "Tokens generated.", _MODEL),
)  # fmt: skip
REPLICA = (*_REPLICA_COUNTS, BATCH_ROWS, BATCH_FILL, BATCH_QUEUE, COMPUTE, ALLOCATED)
"""What Weyr's own model server says of itself; other engines have names of their own."""

_ENGINE = ("endpoint", "replica", "engine")
ENGINE_UP = Metric("weyr_engine_up", "gauge", "Whether a replica's engine told its own metrics just now.", _ENGINE)
ENGINE_RUNNING = Metric("weyr_engine_running", "gauge", "Requests that a replica's engine works on.", _ENGINE)
ENGINE_WAITING = Metric("weyr_engine_waiting", "gauge", "Requests that wait inside a replica's engine.", _ENGINE)
ENGINE_CACHE = Metric("weyr_engine_cache_ratio", "gauge", "Share of an engine's key-value cache that is taken.",
                      _ENGINE)  # fmt: skip
ENGINE_TOKENS_IN = Metric("weyr_engine_prompt_tokens_total", "counter", "Tokens that an engine has read.", _ENGINE)
ENGINE_TOKENS_OUT = Metric("weyr_engine_generation_tokens_total", "counter", "Tokens that an engine has written.",
                           _ENGINE)  # fmt: skip
ENGINES = (ENGINE_UP, ENGINE_RUNNING, ENGINE_WAITING, ENGINE_CACHE, ENGINE_TOKENS_IN, ENGINE_TOKENS_OUT)
"""What vLLM, SGLang, TGI, llama.cpp and Triton say of themselves under names of their own, told on under ours."""

ALL = (*PLANE, *MONEY, *DEVICES, *ENGINES, *REPLICA)
