"""The service over a real database: what it keeps, what it shares a commit with, what survives."""

import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from weyr.store.database import Database
from weyr.store.place import PostgresUrl
from weyr.store.tables import tracking as _tables  # noqa: F401  declares the tables
from weyr.tracking.entities import Metric, Param, RunStatus, Tag, View
from weyr.tracking.errors import TrackingError
from weyr.tracking.places import place_of_path
from weyr.tracking.service import Tracking
from weyr.tracking.writer import Writer


@pytest.fixture
def tracking(db: Database) -> Tracking:
    ids = (f"{number:032x}" for number in count(1))
    return Tracking(db, lambda: 1000.0, lambda: next(ids))


def started(tracking: Tracking, task: str = "", tags: tuple[Tag, ...] = ()) -> str:
    return tracking.run_log.create("0", "", "", 0, tags, task).head.run_id


def test_an_experiment_is_ensured_not_doubled(tracking: Tracking) -> None:
    """The loop asks before every attempt; a deleted one comes back, a moved bucket is followed."""
    first = tracking.ensure_experiments({"digits": ("mlflow-artifacts:/lake/a", "digits")})["digits"]
    tracking.experiments.delete(first)
    assert tracking.ensure_experiments({"digits": ("mlflow-artifacts:/lake/b", "digits")}) == {"digits": first}
    found = tracking.experiments.get(first)
    assert (found.lifecycle.value, found.artifact_location) == ("active", "mlflow-artifacts:/lake/b")


def test_a_task_cannot_pass_for_another(tracking: Tracking) -> None:
    """The tag decides which runs the loop ends; only the server's knowledge of the caller sets it."""
    run_id = started(tracking, "task:a", tags=(Tag("weyr.task", "task:b"),))
    with pytest.raises(TrackingError, match="Weyr sets it"):
        tracking.run_log.log(run_id, tags=(Tag("weyr.task", "task:b"),))
    with pytest.raises(TrackingError, match="Weyr sets it"):
        tracking.run_log.delete_tag(run_id, "weyr.task")
    assert tracking.end_running({"task:b": ("Default", RunStatus.KILLED)}) == 0
    assert tracking.end_running({"task:a": ("Default", RunStatus.KILLED)}) == 1


def test_a_resumed_run_belongs_to_the_attempt_that_resumed_it(tracking: Tracking) -> None:
    """After a reclaim the next attempt goes on with the same run; if it dies too, the run ends with it."""
    run_id = started(tracking, "task:a#1")
    tracking.end_running({"task:a#1": ("Default", RunStatus.KILLED)})
    tracking.run_log.update(run_id, RunStatus.RUNNING, None, "", "task:a#2")
    assert tracking.end_running({"task:a#1": ("Default", RunStatus.KILLED)}) == 0
    assert tracking.end_running({"task:a#2": ("Default", RunStatus.FAILED)}) == 1
    assert tracking.run_log.get(run_id).head.status is RunStatus.FAILED


def test_tasks_that_end_together_end_their_own_runs_each_as_it_did(tracking: Tracking) -> None:
    """One look ends what many left: nobody's run takes another's end, or is ended in an experiment of another."""
    places = {name: (f"mlflow-artifacts:/lake/{name}", "digits") for name in ("a", "b")}
    a, b = tracking.ensure_experiments(places).values()
    of = [("task:a", a), ("task:b", b), ("task:b", a), ("task:c", a)]
    ids = [tracking.run_log.create(where, "", "", 0, (), task).head.run_id for task, where in of]

    ended = {"task:a": ("a", RunStatus.FINISHED), "task:b": ("b", RunStatus.FAILED), "task:d": ("a", RunStatus.KILLED)}
    assert tracking.end_running(ended) == 2
    assert tracking.end_running(ended) == 0

    statuses = [tracking.run_log.get(id).head.status for id in ids]
    assert statuses == [RunStatus.FINISHED, RunStatus.FAILED, RunStatus.RUNNING, RunStatus.RUNNING]


def test_files_are_reached_only_below_experiments_and_their_runs(tracking: Tracking) -> None:
    """Also those of runs from before the experiment's files were moved to another bucket."""
    made = tracking.ensure_experiments({"digits": ("mlflow-artifacts:/lake/artifacts", "digits")})["digits"]
    run = tracking.run_log.create(made, "", "", 0, (), "").head
    tracking.ensure_experiments({"digits": ("mlflow-artifacts:/pond/artifacts", "digits")})
    old = run.artifact_uri.removeprefix("mlflow-artifacts:/")
    assert tracking.owns(place_of_path("pond/artifacts/any"))
    assert tracking.owns(place_of_path(f"{old}/model/MLmodel"))
    assert not tracking.owns(place_of_path("lake/artifacts/other"))
    assert not tracking.owns(place_of_path("pond/artifacts-too"))
    assert not tracking.owns(place_of_path("pond"))


def test_callers_at_once_share_commits_and_lose_nothing(tracking: Tracking) -> None:
    """Eight tasks log together; one of them sends nonsense, and only its own call is refused."""
    runs = [started(tracking) for _ in range(8)]
    for run_id in runs:
        tracking.run_log.log(run_id, params=(Param("depth", "3"),))
    refused: list[str] = []

    def work(run_id: str) -> None:
        for step in range(30):
            tracking.run_log.log(run_id, metrics=(Metric("loss", 0.5, step, step),))
            try:
                tracking.run_log.log(run_id, params=(Param("depth", "4"), Param(f"p{step}", "x")))
            except TrackingError:
                refused.append(run_id)

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for run_id in runs:
        assert len(tracking.history(run_id, "loss").items) == 30
        assert tracking.run_log.get(run_id).params == (Param("depth", "3"),)
    assert len(refused) == 8 * 30


def test_a_change_that_fails_is_undone_alone(db: Database) -> None:
    """Each change is whole or not at all, whoever shares its commit."""
    writer = Writer(db)
    with db.write() as connection:
        connection.execute(text("create table t (v integer)"))
    may_go = threading.Event()
    results: list[object] = []

    def slow(connection: Connection) -> None:
        may_go.wait(10)
        connection.execute(text("insert into t values (0)"))

    def good(connection: Connection) -> None:
        connection.execute(text("insert into t values (1)"))

    def bad(connection: Connection) -> None:
        connection.execute(text("insert into t values (2)"))
        raise ValueError("no")

    def attempt(work: object) -> None:
        try:
            writer.run(work)  # type: ignore[arg-type]  # one of the three above
            results.append("kept")
        except ValueError as e:
            results.append(str(e))

    threads = [threading.Thread(target=attempt, args=(work,)) for work in (slow, good, bad, good)]
    for thread in threads:
        thread.start()
    may_go.set()
    for thread in threads:
        thread.join(10)
    with db.read() as connection:
        assert sorted(connection.execute(text("select v from t")).scalars()) == [0, 1, 1]
    assert sorted(map(str, results)) == ["kept", "kept", "kept", "no"]


def test_pages_hold_while_more_owners_exist_than_a_statement_may_name(tracking: Tracking) -> None:
    """A search of 1,200 runs reads their metrics in portions, and none twice."""
    for number in range(1200):
        run_id = started(tracking)
        if number % 100 == 0:
            tracking.run_log.log(run_id, metrics=(Metric("loss", number, 1),))
    found = tracking.search_runs(["0"], View.ALL, "", [], 5000, "").items
    assert len({run.head.run_id for run in found}) == 1200
    assert sorted(run.metrics[0].value for run in found if run.metrics) == [n * 100.0 for n in range(12)]


LOGGING_FOR_EVER = """
import sys, uuid
from pathlib import Path
from weyr.store.database import Database
from weyr.store.place import PostgresUrl
from weyr.tracking.entities import Metric
from weyr.tracking.service import Tracking
place = PostgresUrl.parse(sys.argv[1]) if sys.argv[1].startswith("postgres") else Path(sys.argv[1])
tracking = Tracking(Database(place), lambda: 1.0, lambda: uuid.uuid4().hex)
run_id = tracking.run_log.create("0", "", "", 0, (), "").head.run_id
print(run_id, flush=True)
step = 0
while True:
    tracking.run_log.log(run_id, metrics=[Metric("loss", 0.5, step, step), Metric("twin", 0.5, step, step)])
    print(step, flush=True)
    step += 1
"""


def text_of(place: Path | PostgresUrl) -> str:
    return place.secret_text if isinstance(place, PostgresUrl) else str(place)


def test_what_was_acknowledged_survives_a_kill(db: Database, tracking: Tracking) -> None:
    """`kill -9` in the middle of logging: every answered point is there, and no half of a batch."""
    command = [sys.executable, "-c", LOGGING_FOR_EVER, text_of(db.place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        for _ in range(50):
            process.stdout.readline()
        process.kill()
        answered = 50 + len(process.stdout.read().split())
    kept = len(tracking.history(run_id, "loss").items)
    assert kept in (answered, answered + 1)
    assert len(tracking.history(run_id, "twin").items) == kept
