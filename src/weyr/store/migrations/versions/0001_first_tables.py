"""The first tables."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import INT64, words

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "credentials",
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("grants", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("access_key_id", sa.String(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("principal"),
        sa.UniqueConstraint("access_key_id"),
        sa.UniqueConstraint("token_sha256"),
    )
    op.create_table(
        "credentials_generation",
        sa.Column("one", INT64, nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
    op.create_table(
        "events",
        sa.Column("id", INT64, autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("stack", words(40), nullable=False),
        sa.Column("ref", words(100), nullable=False),
        sa.Column("plan", words(64), nullable=False),
        sa.Column("event", words(60), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_stack", "events", ["stack", "id"])
    op.create_table(
        "meters",
        sa.Column("id", INT64, nullable=False),
        sa.Column("stack", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("book", sa.String(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("price_per_quantity", sa.BigInteger(), nullable=True),
        sa.Column("price_per_s", sa.BigInteger(), nullable=True),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("run_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("run_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.String(), nullable=False),
        sa.Column("posted", sa.String(), nullable=False),
        sa.Column("posted_micros", sa.BigInteger(), nullable=False),
        sa.Column("posted_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("lines", INT64, nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("meters_by_stack", "meters", ["stack", "closed_ms"])
    op.create_index(
        "meters_one_open",
        "meters",
        ["stack", "kind", "name", "part", "sku"],
        unique=True,
        sqlite_where=sa.text("closed_ms IS NULL"),
        postgresql_where=sa.text("closed_ms IS NULL"),
    )
    op.create_table(
        "objects",
        sa.Column("stack", words(40), nullable=False),
        sa.Column("kind", words(40), nullable=False),
        sa.Column("name", words(40), nullable=False),
        sa.Column("spec", sa.Text(), nullable=True),
        sa.Column("next_spec", sa.Text(), nullable=True),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("memory", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("stack", "kind", "name"),
    )
    op.create_table(
        "plans",
        sa.Column("id", words(64), nullable=False),
        sa.Column("stack", words(40), nullable=False),
        sa.Column("parent", words(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("applied_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_plans_stack"), "plans", ["stack"])
    op.create_table(
        "secrets",
        sa.Column("stack", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", INT64, nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("stack", "name"),
    )
    op.create_table(
        "stacks",
        sa.Column("name", words(40), nullable=False),
        sa.Column("plan_id", words(64), nullable=False),
        sa.Column("price_as", words(100), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("is_removing", sa.Boolean(), nullable=False),
        sa.Column("applied_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "things",
        sa.Column("stack", words(40), nullable=False),
        sa.Column("kind", words(40), nullable=False),
        sa.Column("name", words(40), nullable=False),
        sa.Column("part", words(60), nullable=False),
        sa.Column("capability", words(40), nullable=False),
        sa.Column("generation", INT64, nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("is_released", sa.Boolean(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("stack", "kind", "name", "part"),
    )
    op.create_table(
        "tracking_experiments",
        sa.Column("experiment_id", INT64, nullable=False),
        sa.Column("name", words(500), nullable=False),
        sa.Column("artifact_location", sa.Text(), nullable=False),
        sa.Column("lifecycle_stage", words(16), nullable=False),
        sa.Column("created_ms", INT64, nullable=False),
        sa.Column("updated_ms", INT64, nullable=False),
        sa.Column("owner_stack", words(255), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    by_location = "tracking_experiments_by_location"
    op.create_index(by_location, "tracking_experiments", ["artifact_location"], postgresql_using="hash")
    op.create_table(
        "tracking_registered_models",
        sa.Column("name", words(256), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_ms", INT64, nullable=False),
        sa.Column("updated_ms", INT64, nullable=False),
        sa.Column("owner", words(255), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("is_adopted", sa.Boolean(), nullable=False),
        sa.Column("version_last", INT64, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "journal",
        sa.Column("meter", INT64, nullable=False),
        sa.Column("number", INT64, nullable=False),
        sa.Column("stack", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.String(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("debit", sa.String(), nullable=False),
        sa.Column("credit", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.CheckConstraint("debit <> credit", name="journal_has_two_accounts"),
        sa.CheckConstraint("micros >= 0", name="journal_micros_are_positive"),
        sa.ForeignKeyConstraint(
            ["meter"],
            ["meters.id"],
        ),
        sa.PrimaryKeyConstraint("meter", "number"),
    )
    op.create_index("journal_by_stack_and_day", "journal", ["stack", "day"])
    op.create_table(
        "spending",
        sa.Column("meter", INT64, nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["meter"],
            ["meters.id"],
        ),
        sa.PrimaryKeyConstraint("meter", "day"),
    )
    op.create_table(
        "tracking_experiment_tags",
        sa.Column("experiment_id", INT64, nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["tracking_experiments.experiment_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("experiment_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_models",
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("experiment_id", INT64, nullable=False),
        sa.Column("name", words(500), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.Column("status", words(32), nullable=False),
        sa.Column("model_type", words(500), nullable=False),
        sa.Column("source_run_id", words(64), nullable=False),
        sa.Column("lifecycle_stage", words(16), nullable=False),
        sa.Column("created_ms", INT64, nullable=False),
        sa.Column("updated_ms", INT64, nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["tracking_experiments.experiment_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id"),
    )
    op.create_index(
        "tracking_logged_models_by_experiment", "tracking_logged_models", ["experiment_id", "created_ms"], unique=False
    )
    op.create_table(
        "tracking_model_aliases",
        sa.Column("name", words(256), nullable=False),
        sa.Column("alias", words(255), nullable=False),
        sa.Column("version", INT64, nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tracking_registered_models.name"], onupdate="CASCADE", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "alias"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_model_version_tags",
        sa.Column("name", words(256), nullable=False),
        sa.Column("version", INT64, nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tracking_registered_models.name"], onupdate="CASCADE", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "version", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_model_versions",
        sa.Column("name", words(256), nullable=False),
        sa.Column("version", INT64, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("user_id", words(256), nullable=False),
        sa.Column("stage", words(20), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("files_uri", sa.Text(), nullable=False),
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("run_link", sa.Text(), nullable=False),
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("created_ms", INT64, nullable=False),
        sa.Column("updated_ms", INT64, nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tracking_registered_models.name"], onupdate="CASCADE", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "version"),
        sqlite_with_rowid=False,
    )
    op.create_index("tracking_model_versions_by_model", "tracking_model_versions", ["model_id"])
    op.create_index("tracking_model_versions_by_run", "tracking_model_versions", ["run_id"])
    op.create_table(
        "tracking_registered_model_tags",
        sa.Column("name", words(256), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["tracking_registered_models.name"], onupdate="CASCADE", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_runs",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("experiment_id", INT64, nullable=False),
        sa.Column("name", words(250), nullable=False),
        sa.Column("user_id", words(256), nullable=False),
        sa.Column("status", words(16), nullable=False),
        sa.Column("started_ms", INT64, nullable=False),
        sa.Column("ended_ms", INT64, nullable=True),
        sa.Column("lifecycle_stage", words(16), nullable=False),
        sa.Column("artifact_uri", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["tracking_experiments.experiment_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index("tracking_runs_by_experiment", "tracking_runs", ["experiment_id", "started_ms"])
    op.create_table(
        "tracking_latest_metrics",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("step", INT64, nullable=False),
        sa.Column("at_ms", INT64, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("is_nan", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_model_metrics",
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("at_ms", INT64, nullable=False),
        sa.Column("step", INT64, nullable=False),
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("is_nan", sa.Boolean(), nullable=False),
        sa.Column("dataset_name", words(500), nullable=False),
        sa.Column("dataset_digest", words(36), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["tracking_logged_models.model_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id", "key", "at_ms", "step", "run_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_model_params",
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["tracking_logged_models.model_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_logged_model_tags",
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["tracking_logged_models.model_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_metrics",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("at_ms", INT64, nullable=False),
        sa.Column("step", INT64, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("is_nan", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key", "at_ms", "step", "value", "is_nan"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_params",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_run_dataset_tags",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("name", words(500), nullable=False),
        sa.Column("digest", words(36), nullable=False),
        sa.Column("key", words(255), nullable=False),
        sa.Column("value", words(500), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "name", "digest", "key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_run_datasets",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("name", words(500), nullable=False),
        sa.Column("digest", words(36), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "name", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_run_models",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("direction", words(8), nullable=False),
        sa.Column("model_id", words(64), nullable=False),
        sa.Column("step", INT64, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "direction", "model_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tracking_run_tags",
        sa.Column("run_id", words(64), nullable=False),
        sa.Column("key", words(250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["tracking_runs.run_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "key"),
        sqlite_with_rowid=False,
    )
