"""What is stored for nobody? Checkpoints of jobs that are over, and buckets that no object names and nobody reads."""

from collections.abc import Iterator, Sequence

from weyr.core.units import DAY_S, size_text
from weyr.ledger.advice.amounts import MONTH_HOURS, ago, monthly
from weyr.ledger.advice.values import Change, Confidence, Looked, Plain, Rule, Saving, Subject
from weyr.ledger.prices import STORAGE, PriceBook

CHECKPOINTS_KEPT_S = 30 * DAY_S
UNREAD_S = 30 * DAY_S


def old_checkpoints(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """What jobs that are over have left in a bucket, older than a month: one rule for each prefix ends it."""
    stored = subject.stored
    if stored is None or not stored.old_checkpoints:
        return
    size_bytes = sum(left.size_bytes for left in stored.old_checkpoints.values())
    newest_s = looked.idle_for_s(max(left.newest_ms for left in stored.old_checkpoints.values()))
    new: list[Plain] = [{"prefix": prefix, "expire_after": "30d"} for prefix in sorted(stored.old_checkpoints)]
    detail = (
        f"{size_text(size_bytes)} of checkpoints of jobs that are over lie in it, the newest {ago(newest_s)} old: "
        f"{', '.join(sorted(stored.old_checkpoints))}.{_colder(subject.prices, stored.tiers, size_bytes)}"
    )
    saved = monthly(subject.prices, {STORAGE: size_bytes}, MONTH_HOURS)
    change = Change(subject.ref, ("lifecycle",), [*stored.rules, *new])
    loses = "these checkpoints are deleted"
    yield Saving(Rule.OLD_CHECKPOINTS, subject.ref, detail, saved, Confidence.HIGH, (change,), loses=loses)


def _colder(prices: PriceBook, tiers: Sequence[str], size_bytes: int) -> str:
    """What it would save to move them to the cheapest of the bucket's tiers instead, where one is cheaper."""
    here = monthly(prices, {STORAGE: size_bytes}, MONTH_HOURS)
    there = {name: monthly(prices, {f"storage.{name}": size_bytes}, MONTH_HOURS) for name in tiers}
    costs = sorted((micros, name) for name, micros in there.items() if micros is not None)
    if not here or not costs or costs[0][0] >= here:
        return ""
    micros, name = costs[0]
    return (
        f" A rule that moves them to {name} (move_after: 30d, to: {name}) would save {100 - 100 * micros // here} % of"
        " that and delete nothing."
    )


def unused_buckets(subject: Subject, looked: Looked) -> Iterator[Saving]:
    """Whoever made it may still want it: this is told, and nothing is ever removed for it."""
    stored = subject.stored
    if stored is None or stored.named_by or stored.reads is None or stored.reads or not stored.size_bytes:
        return
    unread_s = looked.idle_for_s(stored.since_ms)
    if unread_s < max(UNREAD_S, looked.idle_s):
        return
    detail = f"no object names it, and nobody has read of its {size_text(stored.size_bytes)} for {ago(unread_s)}."
    saved = monthly(subject.prices, {STORAGE: stored.size_bytes}, MONTH_HOURS)
    by_hand = "copy what is worth it elsewhere, and take the bucket out of the stack file"
    yield Saving(Rule.UNUSED_BUCKET, subject.ref, detail, saved, Confidence.MEDIUM, by_hand=by_hand)
