"""What may be said of the program that a replica runs?"""

from typing import Literal

from weyr.core.schema import Name, Size, SpecPart, field
from weyr.core.task_spec import TaskSpec
from weyr.kinds.ml.endpoint.fields.batch import Batch

EngineName = Literal["vllm", "sglang", "tgi", "llama.cpp", "triton", "tensorflow-serving"]


class OfModel(SpecPart):
    """What holds for one of several models instead of what is said for all."""

    batch: Batch | None = field(None, description="How its requests are put together.")
    concurrency: int | None = field(
        None, description="Calls of it at once, texts that it generates among them.", ge=1, le=1024, strict=True
    )


class ProgramSpec(TaskSpec):
    """Weyr's own model server where nothing else is said, else a known engine, or any command that speaks HTTP."""

    handler: str | None = field(
        None,
        description="A Python class that serves the model's files: file.py:Class or package.module:Class in the "
        "stack's folder, with `load` and `predict`.",
        examples=["ranking.py:Ranker"],
        pattern=r"^[A-Za-z_][\w./-]*:[A-Za-z_]\w*$",
    )
    batch: Batch = field(Batch(), description="How requests are put together into one call of a model.")
    concurrency: int | None = field(
        None, description="Calls of one model at once, texts that it generates among them; by default 2, and 16 texts.",
        ge=1, le=1024, strict=True,
    )  # fmt: skip
    per_model: dict[Name, OfModel] = field(
        {}, description="What holds for one model instead, by its name; what is left out there holds as for all.",
        max_length=100, examples=[{"digits": {"concurrency": 1}}],
    )  # fmt: skip
    memory_max: Size | None = field(
        None, description="What all models of a replica may take together: those used longest ago leave, and come back "
        "when they are asked for. By default all of them stay.", ge=2**20, examples=["2GiB"],
    )  # fmt: skip
    run: str | tuple[str, ...] | None = field(
        None, description="Any HTTP server instead of Weyr's own: a line for the shell, or a list of words.",
        examples=["python server.py --port $PORT"], min_length=1,
    )  # fmt: skip
    listens: Literal["port", "socket"] = field(
        "port", description="Where that server listens: at $PORT, or at the Unix socket $WEYR_SOCKET."
    )
    ready: str | None = field(
        None,
        description="The path that it answers once it can serve; by default as soon as it takes connections.",
        examples=["/healthz"],
        pattern="^/",
    )
    engine: EngineName | None = field(
        None, description="A known engine instead of Weyr's own server: its command is made from a template."
    )
    weights: str | None = field(
        None,
        description="What the engine loads: an id of the Hugging Face hub, a path, or one below a model's files.",
        examples=["Qwen/Qwen3-0.6B"],
        min_length=1,
    )
    args: tuple[str, ...] = field(
        (), description="More of the engine's own arguments.", examples=[["--max-model-len", "4096"]]
    )
