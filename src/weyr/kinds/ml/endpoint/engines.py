"""How is each known engine started, asked and measured? A table of values, each from the engine's own documentation.

A template is a line for the shell in which `$1`, `$2` ... are the ports that the engine listens on, requests come to
the first. What Weyr says in it nobody may say again in `args`.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FILES = '"$WEYR_MODEL_DIR"'
GGUF = '"$WEYR_MODEL_FILE"'


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine is to load. `place` is quoted for the shell; `shards` devices hold one copy of it."""

    place: str
    is_hub: bool
    name: str
    shards: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """Which of an engine's metrics say how busy it is: in flight, waiting, tokens read and written; "" for none.

    `cache` is the share of its room for keys and values that is taken, 0 to 1, by the names that its versions have for
    it; of several workers' the highest counts, of the others the sum.
    """

    inflight: str
    waiting: str
    tokens_in: str = ""
    tokens_out: str = ""
    cache: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine. `metrics` is a path at its port number `metrics_port`, the first being 1; `suffix` is that of the one
    file it loads, "" where it takes a folder. `ours` are the arguments that Weyr writes; `room` those that say how much
    of a device it takes. `title` is as people write it."""

    title: str
    line: Callable[[Load], str]
    protocol: str
    ready: str
    metrics: str
    gauges: Gauges
    source: str
    ours: frozenset[str]
    ports: int = 1
    metrics_port: int = 1
    suffix: str = ""
    takes_hub: bool = True
    needs_device: bool = False
    room: str = ""


def _flags(text: str) -> frozenset[str]:
    return frozenset(text.split())


def line_of(engine: Engine, load: Load, args: tuple[str, ...]) -> str:
    """The whole line: ports as $1 and so on, the template, and what the user adds."""
    ports = "IFS=,; set -- $WEYR_PORTS; unset IFS; " if engine.ports > 1 else 'set -- "$PORT"; '
    return f"{ports}{engine.line(load)}{' ' if args else ''}{shlex.join(args)}"


def _vllm(load: Load) -> str:
    shards = f" --tensor-parallel-size {load.shards}" if load.shards > 1 else ""
    return f'exec vllm serve {load.place} --host 127.0.0.1 --port "$1" --served-model-name {load.name}{shards}'


def _sglang(load: Load) -> str:
    shards = f" --tp-size {load.shards}" if load.shards > 1 else ""
    where = f'--host 127.0.0.1 --port "$1" --served-model-name {load.name}'
    return f"exec python3 -m sglang.launch_server --model-path {load.place} {where} --enable-metrics{shards}"


def _tgi(load: Load) -> str:
    # Two launchers on one machine would meet at the default socket and ports of their shards.
    shards = f" --num-shard {load.shards}" if load.shards > 1 else ""
    apart = '--shard-uds-path "${TMPDIR:-/tmp}/weyr-tgi-$1" --master-port "$2" --prometheus-port "$3"'
    where = f'--hostname 127.0.0.1 --port "$1" {apart}'
    return f"exec text-generation-launcher --model-id {load.place} {where}{shards}"


def _llama_cpp(load: Load) -> str:
    what = "--hf-repo" if load.is_hub else "--model"
    return f'exec llama-server {what} {load.place} --alias {load.name} --host 127.0.0.1 --port "$1" --metrics'


def _triton(load: Load) -> str:
    doors = " ".join(
        f'--{door}-address=127.0.0.1 --{door}-port="${number}"'
        for number, door in enumerate(("http", "grpc", "metrics"), start=1)
    )
    return f"exec tritonserver --model-repository={load.place} {doors}"


def _tensorflow_serving(load: Load) -> str:
    # It reads what it is to measure from a file, and has no argument for it.
    text = 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'
    file = '"${TMPDIR:-/tmp}/weyr-tensorflow-serving-$1"'
    model = f"--model_name={load.name} --model_base_path={load.place}"
    return (
        f"echo {shlex.quote(text)} > {file}; "
        f'exec tensorflow_model_server --rest_api_port="$1" --port="$2" {model} --monitoring_config_file={file}'
    )


ENGINES: Mapping[str, Engine] = {
    "vllm": Engine(
        title="vLLM",
        line=_vllm,
        protocol="openai",
        ready="/health",
        metrics="/metrics",
        gauges=Gauges(
            "vllm:num_requests_running",
            "vllm:num_requests_waiting",
            "vllm:prompt_tokens_total",
            "vllm:generation_tokens_total",
            ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        ),
        source="https://docs.vllm.ai/en/v0.9.1: usage/metrics.html and cli, 2025-06",
        ours=frozenset(
            {"--host", "--port", "--served-model-name", "--tensor-parallel-size", "-tp", "--model", "--uds"}
        ),
        needs_device=True,
        room="--gpu-memory-utilization",
    ),
    "sglang": Engine(
        title="SGLang",
        line=_sglang,
        protocol="openai",
        ready="/health",
        metrics="/metrics",
        gauges=Gauges(
            "sglang:num_running_reqs",
            "sglang:num_queue_reqs",
            "sglang:prompt_tokens_total",
            "sglang:generation_tokens_total",
            ("sglang:token_usage",),
        ),
        source="https://docs.sglang.io: references/production_metrics.html, server arguments, 2025-10",
        ours=frozenset(
            {
                "--host",
                "--port",
                "--served-model-name",
                "--tp-size",
                "--tp",
                "--tensor-parallel-size",
                "--model-path",
                "--model",
                "--enable-metrics",
            }
        ),
        needs_device=True,
        room="--mem-fraction-static",
    ),
    "tgi": Engine(
        title="TGI",
        line=_tgi,
        protocol="openai",
        ready="/health",
        metrics="/metrics",
        gauges=Gauges(
            "tgi_batch_current_size",
            "tgi_queue_size",
            "tgi_request_input_length_sum",
            "tgi_request_generated_tokens_sum",
        ),
        source="https://huggingface.co/docs/text-generation-inference: reference/launcher, reference/metrics, 2025-09",
        ours=frozenset(
            {
                "--hostname",
                "--port",
                "-p",
                "--model-id",
                "--num-shard",
                "--sharded",
                "--shard-uds-path",
                "--master-port",
                "--prometheus-port",
            }
        ),
        ports=3,
        needs_device=True,
        room="--cuda-memory-fraction",
    ),
    "llama.cpp": Engine(
        title="llama.cpp",
        line=_llama_cpp,
        protocol="openai",
        ready="/health",
        metrics="/metrics",
        gauges=Gauges(
            "llamacpp:requests_processing",
            "llamacpp:requests_deferred",
            "llamacpp:prompt_tokens_total",
            "llamacpp:tokens_predicted_total",
            ("llamacpp:kv_cache_usage_ratio",),  # builds since the middle of 2025 have it no more
        ),
        source="https://github.com/ggml-org/llama.cpp, tools/server/README.md, 2026-09",
        ours=_flags("--host --port --model -m --hf-repo -hf -hfr --alias -a --metrics"),
        suffix=".gguf",
    ),
    "triton": Engine(
        title="Triton",
        line=_triton,
        protocol="v2",
        ready="/v2/health/ready",
        metrics="/metrics",
        gauges=Gauges("", "nv_inference_pending_request_count"),
        source="https://docs.nvidia.com/deeplearning/triton-inference-server: user_guide/metrics.html, 2025-09",
        ours=frozenset(
            {
                "--model-repository",
                "--model-store",
                "--http-address",
                "--http-port",
                "--grpc-address",
                "--grpc-port",
                "--metrics-address",
                "--metrics-port",
            }
        ),
        ports=3,
        metrics_port=3,
        takes_hub=False,
    ),
    "tensorflow-serving": Engine(
        title="TensorFlow Serving",
        line=_tensorflow_serving,
        protocol="v1",
        # The model's status is answered with 200 while it is loading; its metadata only once it is there.
        ready="/v1/models/{name}/metadata",
        metrics="/monitoring/prometheus/metrics",
        gauges=Gauges("", ""),
        source="https://www.tensorflow.org/tfx/serving: serving_config, api_rest, 2024-09",
        ours=frozenset(
            {
                "--rest_api_port",
                "--port",
                "--model_name",
                "--model_base_path",
                "--monitoring_config_file",
                "--model_config_file",
            }
        ),
        ports=2,
        takes_hub=False,
    ),
}
