"""A replica may be any HTTP server, or a known engine as its own documentation starts it."""

from typing import Any

import pytest
from endpoint_farm import DIGITS, MODEL, Farm

from weyr.core.capability import IN_HEALTH, PYTHON, TaskBody
from weyr.core.checking import Proposal
from weyr.core.decision import Need, Phase
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.kinds.ml.endpoint.body import replica_body
from weyr.kinds.ml.endpoint.checks import checks
from weyr.kinds.ml.endpoint.engines import ENGINES
from weyr.kinds.ml.endpoint.program_checks import program_findings
from weyr.kinds.ml.endpoint.revision import Target, key_of
from weyr.kinds.ml.endpoint.spec import EndpointSpec

FILES = Target("lake-chat", "chat", 3, "s3://lake/chat/3")


def spec_of(**fields: Any) -> EndpointSpec:
    spec: EndpointSpec = from_plain(EndpointSpec, fields)
    return spec


def body_of(target: Target | None = None, **fields: Any) -> TaskBody:
    spec = spec_of(**({"model": "chat"} if target else {}), **fields)
    return replica_body(DIGITS, spec, [target or Target("", "digits", 0, "")], {}, "/stack")


LINES: dict[str, tuple[dict[str, Any], str]] = {
    "vllm": (
        {"weights": "Qwen/Qwen3-0.6B", "resources": {"accelerators": 2}, "args": ["--max-model-len", "4096"]},
        'set -- "$PORT"; exec vllm serve Qwen/Qwen3-0.6B --host 127.0.0.1 --port "$1" --served-model-name digits'
        " --tensor-parallel-size 2 --max-model-len 4096",
    ),
    "sglang": (
        {"weights": "Qwen/Qwen3-0.6B", "resources": {"accelerators": 4}},
        'set -- "$PORT"; exec python3 -m sglang.launch_server --model-path Qwen/Qwen3-0.6B --host 127.0.0.1'
        ' --port "$1" --served-model-name digits --enable-metrics --tp-size 4',
    ),
    "tgi": (
        {"weights": "Qwen/Qwen3-0.6B", "resources": {"accelerators": 1}},
        "IFS=,; set -- $WEYR_PORTS; unset IFS; exec text-generation-launcher --model-id Qwen/Qwen3-0.6B"
        ' --hostname 127.0.0.1 --port "$1" --shard-uds-path "${TMPDIR:-/tmp}/weyr-tgi-$1" --master-port "$2"'
        ' --prometheus-port "$3"',
    ),
    "llama.cpp": (
        {"weights": "ggml-org/gemma-3-270m-it-GGUF"},
        'set -- "$PORT"; exec llama-server --hf-repo ggml-org/gemma-3-270m-it-GGUF --alias digits --host 127.0.0.1'
        ' --port "$1" --metrics',
    ),
    "triton": (
        {"weights": "/srv/models"},
        "IFS=,; set -- $WEYR_PORTS; unset IFS; exec tritonserver --model-repository=/srv/models"
        ' --http-address=127.0.0.1 --http-port="$1" --grpc-address=127.0.0.1 --grpc-port="$2"'
        ' --metrics-address=127.0.0.1 --metrics-port="$3"',
    ),
    "tensorflow-serving": (
        {"weights": "/srv/models/digits"},
        "IFS=,; set -- $WEYR_PORTS; unset IFS; echo 'prometheus_config { enable: true path:"
        ' "/monitoring/prometheus/metrics" }\' > "${TMPDIR:-/tmp}/weyr-tensorflow-serving-$1"; exec'
        ' tensorflow_model_server --rest_api_port="$1" --port="$2" --model_name=digits'
        ' --model_base_path=/srv/models/digits --monitoring_config_file="${TMPDIR:-/tmp}/weyr-tensorflow-serving-$1"',
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_started_as_its_documentation_says(engine: str) -> None:
    """Who asks for an engine by name writes none of its arguments, and its ports never meet another replica's."""
    fields, line = LINES[engine]
    body = body_of(engine=engine, **fields)

    ready = ENGINES[engine].ready.format(name="digits")
    assert body.argv[: len(IN_HEALTH) + 1] == (*IN_HEALTH, f"--http={ready}")
    assert body.argv[-3:] == ("/bin/sh", "-c", line)
    assert body.ports == (0,) * ENGINES[engine].ports


def test_an_engine_loads_a_registered_version_from_the_cache() -> None:
    """Gigabytes of weights come to a machine once, and the replica may read those and nothing else."""
    body = body_of(FILES, engine="vllm", weights="model", resources={"accelerators": 1})
    start = body.argv.index("--") + 1

    assert body.argv[start : start + 3] == ("/bin/sh", "-c", 'exec "$WEYR_PYTHON" -I -m weyr.runtime.weights "$@"')
    assert body.argv[start + 4 : start + 9] == ("--source", "s3://lake/chat/3", "--version", "chat/3", "--")
    assert 'vllm serve "$WEYR_MODEL_DIR"/model --host' in body.argv[-1]
    assert body.grants == ("s3:read:lake/chat/3/*", "s3:list:lake/chat/3/*")


def test_llama_cpp_is_given_the_one_file_that_it_can_load() -> None:
    """A registered version is a folder, and llama.cpp takes a file."""
    body = body_of(FILES, engine="llama.cpp")

    assert 'llama-server --model "$WEYR_MODEL_FILE" --alias chat' in body.argv[-1]
    assert "--suffix" in body.argv
    assert ".gguf" in body.argv


def test_a_command_listens_where_it_is_told() -> None:
    """Any HTTP server is an endpoint: at a port below a check, or at a Unix socket that the engine asks itself."""
    at_port = body_of(run="python server.py --port $PORT", env={"A": "b"})
    at_path = body_of(run=["serve"], ready="/healthz")
    at_socket = body_of(run="serve $WEYR_SOCKET", listens="socket", ready="/healthz")

    assert at_port.argv == (
        *IN_HEALTH, "--tcp", "--every=5", "--timeout=2", "--failures=3", "--",
        "/bin/sh", "-c", "python server.py --port $PORT",
    )  # fmt: skip
    assert (at_port.ports, at_port.env["A"], at_port.probe) == ((0,), "b", "/")
    assert at_path.argv[len(IN_HEALTH)] == "--http=/healthz"
    assert (at_socket.argv[0], at_socket.ports, at_socket.probe) == ("/bin/sh", (), "/healthz")


def test_weyrs_own_server_is_started_as_what_was_loaded_ahead() -> None:
    """A replica that wakes becomes a process that is there already: those must be its first words."""
    assert body_of(FILES).argv[:4] == (PYTHON, "-I", "-m", "weyr.runtime.serve")


COMPUTING: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "said": (
        {"batch": {"size": 32, "delay": "5ms", "pad": -1}, "concurrency": 4, "memory_max": "2GiB"},
        (
            "--batch-rows=32",
            "--batch-delay=0.005",
            "--pad=-1.0",
            "--threads=4",
            "--streams=4",
            "--memory-max=2147483648",
        ),
    ),
    "of one model": (
        {"concurrency": 2, "per_model": {"chat": {"concurrency": 1, "batch": {"pad": 0}}, "mail": {"concurrency": 9}}},
        ("--threads=2", "--streams=2", "--of=chat:pad=0.0", "--of=chat:threads=1", "--of=chat:streams=1"),
    ),
    "padded with zero": ({"batch": {"pad": 0}}, ("--pad=0.0",)),
    "not said": ({}, ()),
}


@pytest.mark.parametrize("case", COMPUTING)
def test_weyrs_own_server_batches_as_the_file_says(case: str) -> None:
    """What is tuned stands in the file, is reviewed there, and makes new replicas when it changes."""
    fields, words = COMPUTING[case]
    body = body_of(FILES, **fields)

    assert body.argv[body.argv.index("--compute-threads") + 2 :] == words
    assert (key_of(spec_of(**fields), [FILES]) != key_of(spec_of(), [FILES])) == bool(words)


def test_a_program_without_a_model_is_served_at_once_and_is_its_own_version() -> None:
    """There is nothing in the registry to wait for; a changed scale disturbs no replica, a changed command does."""
    farm = Farm(spec_of(run="serve", scale={"min": 1, "max": 2}), model={})
    farm.step(4)
    alone = Target("", "digits", 0, "")
    first, scaled, changed = (
        key_of(spec_of(**fields), [alone]) for fields in ({"run": "a"}, {"run": "a", "scale": {"max": 3}}, {"run": "b"})
    )

    assert farm.phase() is Phase.READY
    assert farm.step().conditions[0].message == "its program of generation 1 on 1 replica"
    assert farm.step().outputs["path"] == "/"
    assert first == scaled != changed


def test_replicas_wait_for_what_their_spec_names() -> None:
    """A replica without its secret would crash until somebody has drawn it."""
    secret = Ref("digits", "secret", "key")
    farm = Farm(spec_of(run="serve", secrets={"KEY": "key"}), model={})
    farm.needs = {MODEL: Need(Phase.READY, {}), secret: Need(Phase.WAITING, {})}

    assert farm.step(2).conditions[0].message == "waits for secret/key (waiting)"
    assert farm.replicas == []

    farm.needs = {secret: Need(Phase.READY, {})}
    farm.step(3)
    assert farm.replicas == ["1"]


def test_a_field_of_a_model_that_is_not_served_is_refused_in_the_plan() -> None:
    """Whoever mistypes a name would wait in vain for what the field says."""
    spec = spec_of(models=["chat@production", "mail"], per_model={"chat": {"concurrency": 1}, "mial": {}})
    (finding,) = checks(Proposal({DIGITS: spec}, {}))
    assert finding.path == ("per_model", "mial")
    assert finding.detail == 'endpoint/digits serves no model mial. Did you mean "mail"?'


FINDINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing to serve": ({}, ["Nothing to serve"]),
    "two programs": ({"run": "a", "engine": "vllm", "weights": "a/b"}, ["Two programs"]),
    "weights without an engine": ({"run": "a", "weights": "a/b"}, ["An engine's field without an engine"]),
    "nothing to load": ({"engine": "llama.cpp"}, ["Nothing to load"]),
    "an id of the hub where only a folder will do": (
        {"engine": "triton", "weights": "org/name"},
        ["Weights that the engine cannot load"],
    ),
    "an argument that is Weyr's": (
        {"engine": "llama.cpp", "weights": "a/b", "args": ["--port=80", "-c", "9"]},
        ["An argument that is Weyr's"],
    ),
    "a part of a device for what takes all of it": (
        {"engine": "vllm", "weights": "a/b", "resources": {"accelerators": "0.5"}},
        ["More of a device than was asked for"],
    ),
    "a part of a device that it is told of": (
        {
            "engine": "vllm",
            "weights": "a/b",
            "resources": {"accelerators": "0.5"},
            "args": ["--gpu-memory-utilization=0.45"],
        },
        [],
    ),
    "a socket for an engine": (
        {"engine": "llama.cpp", "weights": "a/b", "listens": "socket"},
        ["A socket without a command"],
    ),
    "a socket with nothing to ask": ({"run": "a", "listens": "socket"}, ["Nothing to ask"]),
    "a socket in an image": (
        {"run": "a", "listens": "socket", "ready": "/", "image": "b"},
        ["A field that cannot be honoured"],
    ),
    "Weyr's own server in an image": ({"model": "chat", "image": "a"}, ["A field that cannot be honoured"]),
    "a model's files in an image": ({"model": "chat", "run": "a", "image": "b"}, ["Files out of an image's reach"]),
    "Weyr's own server on another Python": (
        {"model": "chat", "python": {"version": "3.12"}},
        ["A field that cannot be honoured"],
    ),
    "batches, calls and memory of a program that is not Weyr's": (
        {
            "engine": "llama.cpp",
            "weights": "a/b",
            "batch": {"size": 8},
            "concurrency": 2,
            "memory_max": "1GiB",
            "per_model": {"b": {"concurrency": 1}},
        },
        ["A field that cannot be honoured"] * 4,
    ),
    "more memory for models than for the replica": (
        {"model": "chat", "memory_max": "2GiB", "resources": {"memory": "1GiB"}},
        ["Limits that contradict"],
    ),
    "all in order": ({"run": "a", "ready": "/healthz", "python": {"requirements": ["fastapi"]}}, []),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_what_a_program_cannot_be_is_refused_in_the_plan(case: str) -> None:
    """A field that nothing will honour is told before anything runs, with the reason."""
    fields, summaries = FINDINGS[case]
    found = program_findings(DIGITS, spec_of(**fields), has_model="model" in fields)

    assert [finding.summary for finding in found if finding.severity is Severity.FATAL] == summaries
