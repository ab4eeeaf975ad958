"""Which rows hold experiments, runs, metrics and registered models?

Times are Unix milliseconds, as MLflow's wire has them. The tables of one run's facts are
clustered by `(run_id, key, ...)`, so that a run's history is one range of the file. A metric
point's whole content is its key: a client that sends a batch again after a lost reply adds
nothing. NaN is stored as the value 0 with `is_nan`, because SQLite turns NaN into NULL.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Table, Text, text

from weyr.store.database import metadata
from weyr.store.dialects import INT64, words

ACTIVE = "active"
DELETED = "deleted"

experiments = Table(
    "tracking_experiments",
    metadata,
    Column("experiment_id", INT64, primary_key=True),
    Column("name", words(500), nullable=False, unique=True),
    Column("artifact_location", Text, nullable=False),
    Column("lifecycle_stage", words(16), nullable=False, default=ACTIVE),
    Column("created_ms", INT64, nullable=False),
    Column("updated_ms", INT64, nullable=False),
    Column("owner_stack", words(255), nullable=False, default=""),
    # A place may be longer than what an ordered index of PostgreSQL takes; it is only ever compared as a whole.
    Index("tracking_experiments_by_location", "artifact_location", postgresql_using="hash"),
    sqlite_autoincrement=True,
)

experiment_tags = Table(
    "tracking_experiment_tags",
    metadata,
    Column("experiment_id", ForeignKey("tracking_experiments.experiment_id", ondelete="CASCADE"), primary_key=True),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

runs = Table(
    "tracking_runs",
    metadata,
    Column("run_id", words(64), primary_key=True),
    Column("experiment_id", ForeignKey("tracking_experiments.experiment_id", ondelete="CASCADE"), nullable=False),
    Column("name", words(250), nullable=False),
    Column("user_id", words(256), nullable=False, default=""),
    Column("status", words(16), nullable=False),
    Column("started_ms", INT64, nullable=False),
    Column("ended_ms", INT64),
    Column("lifecycle_stage", words(16), nullable=False, default=ACTIVE),
    Column("artifact_uri", Text, nullable=False),
    Index("tracking_runs_by_experiment", "experiment_id", "started_ms"),
)


def _of_run() -> Column[str]:
    return Column("run_id", ForeignKey("tracking_runs.run_id", ondelete="CASCADE"), primary_key=True)


run_tags = Table(
    "tracking_run_tags",
    metadata,
    _of_run(),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

params = Table(
    "tracking_params",
    metadata,
    _of_run(),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

metrics = Table(
    "tracking_metrics",
    metadata,
    _of_run(),
    Column("key", words(250), primary_key=True),
    Column("at_ms", INT64, primary_key=True),
    Column("step", INT64, primary_key=True),
    Column("value", Float, primary_key=True),
    Column("is_nan", Boolean, primary_key=True),
    sqlite_with_rowid=False,
)

latest_metrics = Table(
    "tracking_latest_metrics",
    metadata,
    _of_run(),
    Column("key", words(250), primary_key=True),
    Column("step", INT64, nullable=False),
    Column("at_ms", INT64, nullable=False),
    Column("value", Float, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

run_datasets = Table(
    "tracking_run_datasets",
    metadata,
    _of_run(),
    Column("name", words(500), primary_key=True),
    Column("digest", words(36), primary_key=True),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    sqlite_with_rowid=False,
)

run_dataset_tags = Table(
    "tracking_run_dataset_tags",
    metadata,
    _of_run(),
    Column("name", words(500), primary_key=True),
    Column("digest", words(36), primary_key=True),
    Column("key", words(255), primary_key=True),
    Column("value", words(500), nullable=False),
    sqlite_with_rowid=False,
)

run_models = Table(
    "tracking_run_models",
    metadata,
    _of_run(),
    Column("direction", words(8), primary_key=True),
    Column("model_id", words(64), primary_key=True),
    Column("step", INT64, nullable=False, default=0),
    sqlite_with_rowid=False,
)

logged_models = Table(
    "tracking_logged_models",
    metadata,
    Column("model_id", words(64), primary_key=True),
    Column("experiment_id", ForeignKey("tracking_experiments.experiment_id", ondelete="CASCADE"), nullable=False),
    Column("name", words(500), nullable=False),
    Column("artifact_uri", Text, nullable=False),
    Column("status", words(32), nullable=False),
    Column("model_type", words(500), nullable=False, default=""),
    Column("source_run_id", words(64), nullable=False, default=""),
    Column("lifecycle_stage", words(16), nullable=False, default=ACTIVE),
    Column("created_ms", INT64, nullable=False),
    Column("updated_ms", INT64, nullable=False),
    Index("tracking_logged_models_by_experiment", "experiment_id", "created_ms"),
)


def _of_logged_model() -> Column[str]:
    return Column("model_id", ForeignKey("tracking_logged_models.model_id", ondelete="CASCADE"), primary_key=True)


logged_model_tags = Table(
    "tracking_logged_model_tags",
    metadata,
    _of_logged_model(),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

logged_model_params = Table(
    "tracking_logged_model_params",
    metadata,
    _of_logged_model(),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

logged_model_metrics = Table(
    "tracking_logged_model_metrics",
    metadata,
    _of_logged_model(),
    Column("key", words(250), primary_key=True),
    Column("at_ms", INT64, primary_key=True),
    Column("step", INT64, primary_key=True),
    Column("run_id", words(64), primary_key=True),
    Column("value", Float, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("dataset_name", words(500), nullable=False, default=""),
    Column("dataset_digest", words(36), nullable=False, default=""),
    sqlite_with_rowid=False,
)

registered_models = Table(
    "tracking_registered_models",
    metadata,
    Column("name", words(256), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("created_ms", INT64, nullable=False),
    Column("updated_ms", INT64, nullable=False),
    Column("owner", words(255), nullable=False, default=""),
    # Of the newest wish that its owner sent. `is_adopted`: a client made it, so its owner only lets go of it.
    Column("generation", BigInteger, nullable=False, default=0),
    Column("is_adopted", Boolean, nullable=False, default=False),
    # A deleted version's number is never given again, so that an old `name/3` cannot become another model.
    Column("version_last", INT64, nullable=False, default=0),
)


def _of_model() -> Column[str]:
    return Column(
        "name",
        ForeignKey("tracking_registered_models.name", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )


registered_model_tags = Table(
    "tracking_registered_model_tags",
    metadata,
    _of_model(),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

model_aliases = Table(
    "tracking_model_aliases",
    metadata,
    _of_model(),
    Column("alias", words(255), primary_key=True),
    Column("version", INT64, nullable=False),
    sqlite_with_rowid=False,
)

model_versions = Table(
    "tracking_model_versions",
    metadata,
    _of_model(),
    Column("version", INT64, primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("user_id", words(256), nullable=False, default=""),
    Column("stage", words(20), nullable=False),
    Column("source", Text, nullable=False),
    Column("files_uri", Text, nullable=False),
    Column("seal", Text, nullable=False, server_default=text("''")),
    Column("run_id", words(64), nullable=False, default=""),
    Column("run_link", Text, nullable=False, default=""),
    Column("model_id", words(64), nullable=False, default=""),
    Column("created_ms", INT64, nullable=False),
    Column("updated_ms", INT64, nullable=False),
    Index("tracking_model_versions_by_run", "run_id"),
    Index("tracking_model_versions_by_model", "model_id"),
    sqlite_with_rowid=False,
)

model_version_tags = Table(
    "tracking_model_version_tags",
    metadata,
    _of_model(),
    Column("version", INT64, primary_key=True),
    Column("key", words(250), primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
