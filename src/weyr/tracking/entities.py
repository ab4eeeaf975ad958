"""What are an experiment, a run, a metric, a registered model and a version? Plain frozen values.

Times are Unix milliseconds, as the MLflow wire has them. Empty text means "not given".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class RunStatus(StrEnum):
    """Where a run is in its life, as its client or the loop said last."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class ModelStatus(StrEnum):
    """Where a logged model is: its files are on their way, whole, or were not all sent."""

    UNSPECIFIED = "LOGGED_MODEL_STATUS_UNSPECIFIED"
    PENDING = "LOGGED_MODEL_PENDING"
    READY = "LOGGED_MODEL_READY"
    UPLOAD_FAILED = "LOGGED_MODEL_UPLOAD_FAILED"


class Lifecycle(StrEnum):
    """A deleted experiment, run or logged model is kept and can be restored."""

    ACTIVE = "active"
    DELETED = "deleted"


class View(StrEnum):
    """Which stages of life a search looks at."""

    ACTIVE_ONLY = "ACTIVE_ONLY"
    DELETED_ONLY = "DELETED_ONLY"
    ALL = "ALL"


class Direction(StrEnum):
    """Whether a run read a logged model or made it."""

    INPUT = "input"
    OUTPUT = "output"


class Stage(StrEnum):
    """MLflow's older way to name a version's role; aliases are the newer one."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class Tag:
    """A key with its text; also the shape of a param."""

    key: str
    value: str


Param = Tag


@dataclass(frozen=True, slots=True)
class Metric:
    """One point of a metric's history. The last three are given when it judges a logged model."""

    key: str
    value: float
    at_ms: int
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs. Their files lie under `artifact_location`."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle: Lifecycle
    created_ms: int
    updated_ms: int
    owner_stack: str
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a run learned from, as its client described it; `source` is the client's JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A dataset in one run, with tags such as its context ("training")."""

    dataset: Dataset
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelUse:
    """That a run read or made a logged model, at which step of its training."""

    direction: Direction
    model_id: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class RunHead:
    """A run without what was logged to it."""

    run_id: str
    experiment_id: str
    name: str
    user_id: str
    status: RunStatus
    started_ms: int
    ended_ms: int | None
    lifecycle: Lifecycle
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run with the last value of each metric, its params, tags, inputs and outputs."""

    head: RunHead
    metrics: tuple[Metric, ...] = ()
    params: tuple[Param, ...] = ()
    tags: tuple[Tag, ...] = ()
    datasets: tuple[DatasetInput, ...] = ()
    models: tuple[ModelUse, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model's files as one run logged them; registering it makes a version of it."""

    model_id: str
    experiment_id: str
    name: str
    artifact_uri: str
    status: ModelStatus
    model_type: str
    source_run_id: str
    created_ms: int
    updated_ms: int
    tags: tuple[Tag, ...] = ()
    params: tuple[Param, ...] = ()
    metrics: tuple[Metric, ...] = ()
    registrations: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model; `files_uri` is where its files lie, `source` what was asked."""

    name: str
    version: int
    description: str
    user_id: str
    stage: Stage
    source: str
    files_uri: str
    run_id: str
    run_link: str
    model_id: str
    created_ms: int
    updated_ms: int
    tags: tuple[Tag, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A name with versions; `latest` holds the newest version of each stage that has one."""

    name: str
    description: str
    created_ms: int
    updated_ms: int
    owner: str
    tags: tuple[Tag, ...] = ()
    aliases: tuple[tuple[str, int], ...] = ()
    latest: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a search; `token` asks for the next and is empty on the last."""

    items: tuple[T, ...]
    token: str = ""
