"""What a limit's reach has come to is kept by difference: it is what all open meters and the journal say, however often
it was changed, taken back, or read again after a crash."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.decision import Spend
from weyr.core.diagnostic import UserError
from weyr.core.kind import Usage
from weyr.core.metering import Labels, Reserved
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref
from weyr.ledger.books import Books
from weyr.ledger.entries import Charge, Entry
from weyr.ledger.grouping import By
from weyr.ledger.journal import day_of
from weyr.ledger.ledger import Ledger
from weyr.ledger.meters import ms
from weyr.ledger.prices import CPU, EGRESS_FAR, MEMORY, STORAGE, Catalogue
from weyr.sim.store import migrated
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore

NOON = 1_796_040_000.0
"""2026-11-30 12:00 UTC: half a day before a day and a month end, a week's first day."""
ANN: Labels = (("team", "vision"), ("user", "ann"))
JOBS = [Ref(stack, "job", name) for stack in ("one", "two") for name in ("a", "b")]
LABELS = {ref: ANN if ref.name == "a" else () for ref in JOBS}
REACHES = [Reach(), Reach("one"), Reach("", ANN[:1])]
EACH = [(reach, every) for reach in REACHES for every in (Every.DAY, Every.WEEK, Every.MONTH)]


class Failed(Exception):
    """Something of an object went wrong."""


class Story:
    """One writer's ledger, which is told what happens as the loop tells it: in steps, object after object."""

    def __init__(self, db: Database) -> None:
        self.db, self.now = db, NOON
        self.began: dict[tuple[Ref, str], float] = {}
        self.crash()

    def crash(self) -> None:
        """What was remembered is lost."""
        self.ledger = Ledger(LedgerStore(self.db), Catalogue.shipped())

    def step(self, do: Callable[[], None]) -> None:
        with self.db.write(is_synced=False) as connection, self.ledger.together(lambda: connection):
            self.connection = connection
            do()

    def open(self, ref: Ref, part: str, reserved: int, ends: bool) -> None:
        usages = [Usage(part, CPU, 2000, None), Usage(part, MEMORY, 4000, None)]
        kept = Reserved(reserved, ends)
        self.ledger.open(self.connection, ref, part, usages, "aws/fargate", self.now, LABELS[ref], kept)

    def read(self, ref: Ref, part: str, since: float, until: float | None) -> None:
        since = self.began.setdefault((ref, part), self.now + since)
        until = None if until is None else self.now + until
        usages = [Usage(part, sku, size, since, until) for sku, size in ((CPU, 2000), (MEMORY, 4000))]
        self.ledger.read(self.connection, ref, usages, "aws/fargate", self.now, LABELS[ref])

    def store(self, name: str, size: int) -> None:
        ref = Ref(name, "bucket", "lake")
        usages = [Usage("", STORAGE, size, None), Usage("", EGRESS_FAR, size, NOON)]
        self.ledger.read(self.connection, ref, usages, "aws/fargate", self.now)

    def check(self) -> None:
        for reach, every in EACH:
            kept = self.ledger.standing(reach, every, self.now)
            anew = self.ledger.spend(reach, every, self.now)
            assert_alike(kept, anew, f"{reach} {every} at {self.now}", len(self.ledger.open_meters()))


def assert_alike(kept: Spend, anew: Spend, of: str, meters: int) -> None:
    """Exact sums rounded once, beside the sum of what was rounded for each meter."""
    assert (kept.period, kept.ends_at) == (anew.period, anew.ends_at), of
    assert 0 <= kept.micros - anew.micros <= meters, (of, kept, anew)
    assert abs(kept.reserved_micros - anew.reserved_micros) <= meters, (of, kept, anew)
    assert abs(kept.rate_micros_per_hour - anew.rate_micros_per_hour) <= meters, (of, kept, anew)
    assert abs(kept.forecast_micros - anew.forecast_micros) <= 800 * meters, (of, kept, anew)


JOB, PART = st.sampled_from(JOBS), st.sampled_from("12")
HAPPENS = st.one_of(
    st.tuples(st.just("open"), JOB, PART, st.sampled_from([0, 100, 50_000]), st.booleans()),
    st.tuples(st.just("read"), JOB, PART, st.sampled_from([0.0, -30.0, 2.5]), st.sampled_from([None, None, -3.0, 4.0])),
    st.tuples(st.just("close"), JOB, PART),
    st.tuples(st.just("store"), st.sampled_from(["one", "two"]), st.sampled_from([2**30, 2**36, 2**42])),
    st.tuples(st.just("pass"), st.sampled_from([0.001, 1.7, 59.0, 61.0, 3600.0, 40_000.0])),
    st.tuples(st.just("set"), st.sampled_from([-100.0, 5000.0])),
    st.tuples(st.just("fail"), JOB, PART),
    st.tuples(st.just("undo"), JOB, PART),
    st.tuples(st.just("post"), JOB, st.integers(-5000, 5000)),
    st.tuples(st.sampled_from(["crash", "close month"])),
)


def happens(story: Story, what: str, *told: Any) -> None:
    match what:
        case "open" | "read" | "store":
            story.step(lambda: getattr(story, what)(*told))
        case "close":
            story.step(lambda: story.ledger.close(story.connection, told[0], told[1], story.now))
            story.began.pop((told[0], told[1]), None)
        case "pass":
            story.now += told[0]
        case "set":
            with story.db.write() as connection:
                story.ledger.clock_was_set(connection, story.now, story.now + told[0])
            story.now += told[0]
        case "fail":
            story.step(lambda: fails_in_part(story, *told))
        case "undo":
            with suppress(Failed):
                story.step(lambda: fails(story, *told))
        case "post":
            day = day_of(ms(story.now))
            charge = Charge(told[0], "support", "vendor", told[1], 0, 1000, day, labels=LABELS[told[0]])
            Books(LedgerStore(story.db)).enter(Entry(f"{story.now} {told}", (charge,), "ann", "support"), story.now)
        case "crash":
            story.crash()
        case "close month":
            with suppress(UserError):
                Books(LedgerStore(story.db)).close("2026-11", "ann", story.now)


def fails_in_part(story: Story, ref: Ref, part: str) -> None:
    """Another object of the same step is left as it is."""
    story.open(JOBS[0], "9", 70, True)
    mark = story.ledger.mark()
    with suppress(Failed):
        fails(story, ref, part)
    story.ledger.back_to(mark)


def fails(story: Story, ref: Ref, part: str) -> None:
    story.open(ref, "8", 500, False)
    story.ledger.close(story.connection, ref, part, story.now)
    raise Failed


@settings(max_examples=10, deadline=None)
@given(st.lists(HAPPENS, max_size=20))
def test_what_is_kept_by_difference_is_what_all_meters_say(told: list[tuple[Any, ...]]) -> None:
    """After every event, in each reach and period: spent, set aside, the rate and the forecast."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weyr.db"
        path.write_bytes(migrated())
        db = Database(path)
        story = Story(db)
        for what, *rest in told:
            happens(story, what, *rest)
            story.check()
        db.close()


def test_a_bill_for_a_later_period_is_none_of_this_one() -> None:
    """An invoice that is entered in advance must not use up the budget of the month before: not at once, and not after
    a restart."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weyr.db"
        path.write_bytes(migrated())
        db = Database(path)
        story = Story(db)
        for each in range(2):
            charge = Charge(JOBS[each], "support", "vendor", 5_000_000, 0, 1000, "2026-12-03", labels=ANN)
            Books(LedgerStore(db)).enter(Entry(f"{each}", (charge,), "ann"), story.now)
            story.check()
        assert story.ledger.standing(Reach(), Every.MONTH, NOON).micros == 0
        assert story.ledger.cost(None, By.STACK, NOON).month_micros == 0
        assert story.ledger.standing(Reach(), Every.MONTH, NOON + 86_400).micros == 10_000_000
        db.close()
