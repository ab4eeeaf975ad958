"""How often chance alone takes a new version back, and how many requests it takes to be certain of a bad one."""

import random

from weyr.kinds.ml.endpoint.fields.rollout import AbortIf
from weyr.kinds.ml.endpoint.judge import Figures, judge

FINE = Figures(requests=2000, errors=2)


def test_a_version_that_keeps_to_its_limit_is_hardly_ever_taken_back() -> None:
    """It is looked at after every tenth request, for two thousand: most looks do not make chance a reason."""
    chance = random.Random(6)
    limits, taken_back = AbortIf(errors=0.05), 0
    for _ in range(200):
        new = Figures()
        for _ in range(200):
            new = new.plus(Figures(10, sum(chance.random() < 0.03 for _ in range(10))))
            if judge(limits, FINE, new, 100).abort:
                taken_back += 1
                break

    assert taken_back <= 2


def test_a_version_that_fails_half_its_requests_is_gone_after_a_dozen() -> None:
    """Callers are not made to prove what is plain."""
    chance = random.Random(6)
    needed = []
    for _ in range(50):
        new = Figures()
        while not judge(AbortIf(errors=0.05), FINE, new, 100).abort:
            new = new.plus(Figures(1, int(chance.random() < 0.5)))
        needed.append(new.requests)

    assert sorted(needed)[25] <= 12
