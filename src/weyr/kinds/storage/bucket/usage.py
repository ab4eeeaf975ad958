"""What is metered of a bucket, and what will a month of it come to? By storage class. Pure."""

from collections.abc import Iterator, Mapping

from weyr.core.assumptions import Assumed, Assumption, Measure, Origin, Past
from weyr.core.decision import Thing
from weyr.core.kind import Estimate, Usage
from weyr.core.seen import Absent, BucketClass, BucketFacts, BucketUse, Present
from weyr.core.units import HOUR_S, MONTH_S
from weyr.kinds.storage.bucket.spec import BucketSpec

BUCKET = ""
"""A bucket is one thing, so its part has no name."""

STORED, WRITES, READS, LOCAL, FAR = (
    "storage.standard", "requests.write", "requests.read", "egress.local", "egress.far",
)  # fmt: skip
COUNTED = (("writes", Measure.COUNT, WRITES), ("reads", Measure.COUNT, READS), ("egress", Measure.SIZE, FAR))
"""What a month's estimate takes for granted of its use, beside what it holds."""
OF_CLASS = (
    ("writes", Measure.COUNT, WRITES),
    ("reads", Measure.COUNT, READS),
    ("moved", Measure.COUNT, "requests.move"),
    ("retrieved", Measure.SIZE, "retrieval"),
)
"""The same of a storage class. Clouds ask for its requests otherwise, for what is moved there, and for reading it."""


def stored_in(name: str) -> str:
    """The SKU of bytes of a storage class: `storage.standard_ia`."""
    return f"storage.{name.lower()}"


def meters_of(spec: BucketSpec) -> tuple[tuple[str, int], ...]:
    """What is metered from the moment it is wanted."""
    own = [(sku, 0) for sku in (STORED, WRITES, READS, LOCAL, FAR)]
    return (*own, *((sku, 0) for name in sorted(spec.tiers) for sku in _skus(name)))


def _skus(name: str) -> Iterator[str]:
    yield stored_in(name)
    for _name, _measure, sku in OF_CLASS:
        yield f"{sku}.{name.lower()}"


def usage(_spec: BucketSpec, things: Mapping[str, Thing]) -> tuple[Usage, ...]:
    """Stored bytes by class, from when they are first seen until the bucket is proved absent; and what was asked of it.

    What is of no other class is STANDARD, so that no byte is metered twice, and none is forgotten. One that is gone
    holds nothing any more, and leaves the last reading of what was asked of it.
    """
    match things[BUCKET].seen if BUCKET in things else Absent():
        case Present(facts=BucketFacts(size_bytes=size, use=use, classes=classes)):
            standard = size - sum(one.size_bytes for one in classes)
            assert standard >= 0, "a bucket holds no less than what its classes do"
            return (Usage(BUCKET, STORED, standard, since=None), *_counted(use), *_of_classes(classes, use))
        case Absent(last=BucketFacts(use=use, classes=classes)):
            asked = (usage for usage in _of_classes(classes, use) if usage.since is not None)
            return (*_counted(use), *asked)
        case _:
            return ()


def _counted(use: BucketUse | None) -> tuple[Usage, ...]:
    if use is None:
        return ()
    counts = ((WRITES, use.writes), (READS, use.reads), (LOCAL, use.local_bytes), (FAR, use.far_bytes))
    return tuple(Usage(BUCKET, sku, count, since=use.since) for sku, count in counts)


def _of_classes(classes: tuple[BucketClass, ...], use: BucketUse | None) -> Iterator[Usage]:
    for one in classes:
        amounts = (one.size_bytes, one.writes, one.reads, one.moves, one.read_bytes)
        for number, (sku, amount) in enumerate(zip(_skus(one.name), amounts, strict=True)):
            if not number:
                yield Usage(BUCKET, sku, amount, since=None)
            elif use is not None:
                yield Usage(BUCKET, sku, amount, since=use.since)


def assumes(spec: BucketSpec, past: Past) -> tuple[Assumption, ...]:
    """What it holds, and what is asked of it in a month. Of a bucket that is elsewhere, its place sends the bill."""
    if spec.url is not None:
        return ()
    return (
        _stored_now("stored", STORED, past),
        *(_counted_before(name, measure, sku, past) for name, measure, sku in COUNTED),
        *(one for name in sorted(spec.tiers) for one in _assumed_of_class(name, past)),
    )


def _assumed_of_class(name: str, past: Past) -> Iterator[Assumption]:
    yield _stored_now(f"stored_{name}", stored_in(name), past)
    for what, measure, sku in OF_CLASS:
        yield _counted_before(f"{what}_{name}", measure, f"{sku}.{name}", past)


def estimate(spec: BucketSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    if spec.url is not None:
        return ()
    month_h, by_class = MONTH_S / HOUR_S, sorted(spec.tiers)
    stored = [(STORED, "stored"), *((stored_in(name), f"stored_{name}") for name in by_class)]
    counted = [(sku, name) for name, _measure, sku in COUNTED]
    counted += [(f"{sku}.{name}", f"{what}_{name}") for name in by_class for what, _measure, sku in OF_CLASS]
    # A counter's unit counts as if it were used for a second.
    return (
        *(Estimate(sku, round(assumed[name]), month_h) for sku, name in stored),
        *(Estimate(sku, count, 1 / HOUR_S) for sku, name in counted if (count := round(assumed[name]))),
    )


def _stored_now(name: str, sku: str, past: Past) -> Assumption:
    if sku in past.levels:
        return Assumption.sure(name, Measure.SIZE, float(past.levels[sku]), Origin.MEASURED, "now")
    return Assumption.sure(name, Measure.SIZE, float(2**30))


def _counted_before(name: str, measure: Measure, sku: str, past: Past) -> Assumption:
    if not past.tells_rates:
        return Assumption.sure(name, measure, 0.0)
    return Assumption.sure(name, measure, past.monthly(past.counts.get(sku, 0)), Origin.MEASURED, past.said)
