"""What does Weyr remember of training? `Tracking`: the one door to runs, logged models and the registry.

The MLflow wire uses its parts (`experiments`, `runs`, ...); the loop, the API and the CLI use the
methods below. It reads no clock and makes no ids of its own: both are arguments.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import select

from weyr.core.artifacts import Place
from weyr.core.seen import ModelFacts
from weyr.store.database import Database
from weyr.store.tables.tracking import experiments, logged_models, runs
from weyr.tracking import costed, overview
from weyr.tracking.entities import Metric, Page, Run, RunStatus, View
from weyr.tracking.experiments import Experiments
from weyr.tracking.inputs import dataset_summaries
from weyr.tracking.logged_models import LoggedModels
from weyr.tracking.metrics import histories, history, history_sampled
from weyr.tracking.places import proxied_uri
from weyr.tracking.registry import Registry
from weyr.tracking.run_search import search_runs
from weyr.tracking.runs import Runs
from weyr.tracking.versions import Versions
from weyr.tracking.writer import Writer

ARTIFACT_ROOT = "mlflow-artifacts:/weyr-tracking"
"""Where experiments that no stack owns keep their files: a bucket that the composition root makes."""


class Tracking:
    """Experiments, runs, logged models and registered models of one store.

    Takes `now` in Unix seconds, and `new_id`, which gives a text never given before.

    Promises: what a method changed is on disk when it returns.
    """

    def __init__(
        self, db: Database, now: Callable[[], float], new_id: Callable[[], str], artifact_root: str = ARTIFACT_ROOT
    ) -> None:
        def now_ms() -> int:
            return int(now() * 1000)

        self._db = db
        self._now_ms = now_ms
        self._writer = Writer(db)
        self.experiments = Experiments(db, self._writer, now_ms, artifact_root)
        self.run_log = Runs(db, self._writer, now_ms, new_id)
        self.logged_models = LoggedModels(db, self._writer, now_ms, new_id)
        self.registry = Registry(db, self._writer, now_ms)
        self.versions = Versions(db, self._writer, now_ms)
        self.experiments.ensure_default()

    def ensure_experiments(self, wanted: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Gives the ids of stacks' experiments. Takes by name where its files lie, and the stack that owns it.
        Idempotent, and as `Experiments.ensure` not synced."""
        return self.experiments.ensure(wanted)

    def ensure_model(self, name: str, owner: str, generation: int = 0, aliases: Sequence[tuple[str, int]] = ()) -> None:
        """Idempotent. Raises TrackingError, with nothing changed, for what `Registry.ensure` refuses."""
        self.registry.ensure(name, owner, generation, aliases)

    def let_go_of_model(self, owner: str) -> None:
        """Deletes the owner's model with its versions; what a client made stays. Idempotent."""
        self.registry.let_go(owner)

    def model(self, name: str) -> ModelFacts | None:
        """None is proof that there is no such model."""
        return overview.model_facts(self._db, name)

    def owned_models(self) -> list[tuple[str, str, int]]:
        """(name, owner, generation) of every registered model that a stack owns."""
        return overview.owned_models(self._db)

    def runs(self, stack: str | None = None) -> list[overview.RunSummary]:
        """The runs of one stack, or of all, newest first."""
        return overview.run_summaries(self._db, stack)

    def task_runs(self, stack: str | None, from_ms: int, to_ms: int) -> list[costed.TaskRun]:
        """The runs that tasks began in a time, newest first, with what they read and made."""
        return costed.task_runs(self._db, stack, from_ms, to_ms)

    def run(self, run_id: str) -> overview.RunDetail | None:
        """A run with its metrics' histories."""
        return overview.run_detail(self._db, run_id)

    def end_running(self, ended: Mapping[str, tuple[str, RunStatus]]) -> int:
        """Ends the runs that tasks left running when they died. Gives how many. Idempotent.

        Takes by a task's principal, for example `task:digits:job/train#2`, its experiment's name and how it ended.
        """
        return self.run_log.end_left(ended)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        view: View,
        filter_text: str,
        order_by: Sequence[str],
        limit: int,
        token: str,
    ) -> Page[Run]:
        return search_runs(self._db, experiment_ids, view, filter_text, order_by, limit, token)

    def history(self, run_id: str, key: str, limit: int | None = None, token: str = "") -> Page[Metric]:
        """A metric's points by time."""
        return history(self._db, run_id, key, limit, token)

    def histories(self, run_ids: Sequence[str], key: str, points_max: int) -> list[tuple[str, Metric]]:
        """A metric of several runs, run by run."""
        return histories(self._db, run_ids, key, points_max)

    def history_sampled(
        self, run_ids: Sequence[str], key: str, steps: tuple[int, int] | None, points_max: int
    ) -> list[tuple[str, Metric]]:
        """A metric of several runs, thinned out for drawing."""
        return history_sampled(self._db, run_ids, key, steps, points_max)

    def dataset_summaries(self, experiment_ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
        """(experiment, name, digest, context) of the datasets that runs read."""
        with self._db.read() as connection:
            return dataset_summaries(connection, experiment_ids)

    def owns(self, place: Place) -> bool:
        """Whether a file there belongs to an experiment, so that the wire may reach it.

        Runs and logged models keep their files below their experiment's root; those made before the
        root was moved are found by their own.
        """
        roots = [uri for folder in place.with_parents() for uri in (proxied_uri(folder), folder.s3_uri)]
        ids = place.key.split("/")
        asked = (
            select(1).where(experiments.c.artifact_location.in_(roots)),
            select(1).where(runs.c.run_id.in_(ids), runs.c.artifact_uri.in_(roots)),
            select(1).where(logged_models.c.model_id.in_(ids), logged_models.c.artifact_uri.in_(roots)),
        )
        with self._db.read() as connection:
            return any(connection.execute(each.limit(1)).first() is not None for each in asked)
