"""What several processes counted is added up, written down, and kept within bounds."""

import json
from functools import partial
from pathlib import Path

from weyr.core import serving_metrics as names
from weyr.gateway.inference.bequest import Before, Bequest
from weyr.gateway.inference.figures import (
    CALLERS_MAX,
    Amount,
    Figures,
    Labels,
    added,
    from_plain,
    of_endpoints,
    plain,
    text_of,
)

REQUESTS, DURATION, INFLIGHT = names.REQUESTS.name, names.DURATION.name, names.INFLIGHT.name
WHO = ("s/e", "1", "ann", 200)


def counted(requests: int) -> Figures:
    buckets = (requests, *[0] * len(names.DURATION.buckets))
    return {REQUESTS: {WHO: requests}, DURATION: {WHO[:2]: (buckets, 0.5)}, INFLIGHT: {WHO[:1]: requests}}


def test_counts_are_added_and_what_is_now_is_not() -> None:
    """A process that is gone has no request under way."""
    whole = added(counted(2), counted(3))

    assert whole[REQUESTS] == {WHO: 5}
    assert whole[DURATION][WHO[:2]] == ([5, *[0] * len(names.DURATION.buckets)], 1.0)
    assert whole[INFLIGHT] == {WHO[:1]: 2}
    assert from_plain(json.loads(json.dumps(plain(whole)))) == whole
    assert 'weyr_inference_request_duration_seconds_count{endpoint="s/e",version="1"} 5' in text_of(whole)


def test_what_is_inherited_stays_bounded() -> None:
    """Renewed every night for a year, a process shows no more callers than one that was not, nor endpoints of old."""
    callers: dict[Labels, Amount] = {("s/e", "1", f"caller {n}", 200): n for n in range(CALLERS_MAX + 10)}
    callers["s/gone", "1", "ann", 200] = 9
    kept = of_endpoints({REQUESTS: callers, DURATION: {}}, {"s/e"})

    assert sorted(map(str, kept[REQUESTS].values())) == sorted(map(str, range(10, CALLERS_MAX + 10)))


def test_a_chain_of_successors_tells_everything_once(tmp_path: Path) -> None:
    """The second may be replaced while the first still answers its last callers."""
    counts = dict.fromkeys("abc", 1)
    before = {name: Before() for name in "abc"}
    left = {
        name: Bequest(tmp_path / f"{name}.counts", before[name], partial(lambda name: counted(counts[name]), name))
        for name in "abc"
    }

    def shown(name: str) -> object:
        return added(counted(counts[name]), before[name].figures())[REQUESTS][WHO]

    before["b"].open.append(left["a"].begin())
    assert shown("b") == 2
    before["c"].open.append(left["b"].begin())
    counts.update(a=5, b=7)
    left["a"].close(is_followed=True)
    assert shown("c") == 1 + 1 + 5, "b has not told of more yet"
    left["b"].close(is_followed=True)
    assert [shown("c") for _ in range(3)] == [13, 13, 13]
    assert not list(tmp_path.iterdir()), "what is over is in memory only"


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    """A file cut by a full disk must not stop a plane."""
    (tmp_path / "x.counts").write_text('{"figures": {"weyr_inference_requests_total": [[["s')
    assert Before(open=[tmp_path / "x.counts", tmp_path / "gone.counts"]).figures() == {}
