"""A secret is drawn or waited for, and its value never comes near what decides."""

from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.capability import Capability, SecretBody
from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Ensure, Phase, Release, Thing, View, Want, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.core.seen import Absent, Present, SecretFacts, Seen, Unknown
from weyr.kinds.security.secret import KIND
from weyr.kinds.security.secret.checks import checks
from weyr.kinds.security.secret.decide import decide
from weyr.kinds.security.secret.spec import SecretSpec

KEY = Ref("digits", "secret", "key")


def secret(**fields: Any) -> SecretSpec:
    spec: SecretSpec = from_plain(SecretSpec, fields)
    return spec


def thing(seen: Seen, **fields: Any) -> Thing:
    return Thing(
        **{"part": "", "capability": Capability.SECRETS, "generation": 1, "is_accepted": True, **fields, "seen": seen}
    )


def look(spec: SecretSpec | None, *things: Thing, generation: int = 1) -> Decision[None]:
    return decide(Want(KEY, spec, generation), View(0.0, {t.part: t for t in things}))


def phase(decision: Decision[None]) -> Phase:
    return phase_of(decision.conditions, is_removing=False)


SET = Present(SecretFacts(3))
EMPTY = Present(SecretFacts(0))
LOOKS: dict[str, tuple[SecretSpec, tuple[Thing, ...], Phase, str]] = {
    "drawn, at first": (secret(generate=32), (), Phase.WORKING, "Drawing"),
    "drawn, not there yet": (secret(generate=32), (thing(Absent()),), Phase.WORKING, "Drawing"),
    "drawn, held without a value": (secret(generate=32), (thing(EMPTY),), Phase.WORKING, "Drawing"),
    "drawn": (secret(generate=32), (thing(SET),), Phase.READY, "Set"),
    "set by hand": (secret(), (thing(SET),), Phase.READY, "Set"),
    "not set, at first": (secret(), (), Phase.WAITING, "ValueMissing"),
    "not set": (secret(), (thing(Absent()),), Phase.WAITING, "ValueMissing"),
    "held without a value": (secret(), (thing(EMPTY),), Phase.WAITING, "ValueMissing"),
    "the store is silent": (secret(), (thing(Unknown("no answer")),), Phase.UNKNOWN, "EngineSilent"),
    "the store refuses it": (secret(), (thing(Absent(), refusal="no"),), Phase.FAILED, "Refused"),
}


@pytest.mark.parametrize("case", LOOKS)
def test_what_is_said_of_what_is_seen(case: str) -> None:
    """A secret counts as set when it has a value, and only then do those that need it begin."""
    spec, things, word, reason = LOOKS[case]

    decision = look(spec, *things)

    assert (phase(decision), decision.conditions[0].reason) == (word, reason)


def test_only_its_version_is_ever_seen() -> None:
    """Outputs, conditions and plans are shown to whoever asks."""
    decision = look(secret(generate=32), thing(SET))

    assert decision.outputs == {"version": 3}
    assert decision.conditions[0].message == "version 3"


def test_who_has_to_set_it_is_told_how() -> None:
    """The next step is a command that can be typed."""
    assert look(secret()).conditions[0].message.endswith("weyr secret set digits/key")


def test_it_is_asked_for_once_while_it_waits_for_a_person() -> None:
    """A person may take a day; asking an absent thing again at each look would keep the machine busy all that time."""
    asked = look(secret(), thing(Absent()))
    unanswered = look(secret(), thing(Absent(), is_accepted=False))
    newer = look(secret(), thing(Absent()), generation=2)

    assert [len(decision.actions) for decision in (asked, unanswered, newer)] == [0, 1, 1]
    assert asked.again_s == 2


def test_how_much_is_drawn_is_written() -> None:
    """A value that is there is kept: the engine draws only into an empty place."""
    bodies = [action.body for spec in (secret(generate=32), secret()) for action in look(spec).actions
              if isinstance(action, Ensure)]  # fmt: skip

    assert bodies == [SecretBody(32), SecretBody(0)]


REMOVALS: dict[str, tuple[Seen, dict[str, Any], str]] = {
    "it is there": (SET, {}, "the value is being deleted"),
    "nobody has news of it": (Unknown(), {}, "the value is being deleted"),
    "the last order was not answered": (Absent(), {"is_accepted": False}, "the value is being deleted"),
    "its removal was refused": (SET, {"is_accepted": False, "refusal": "busy"}, "it cannot be deleted: busy"),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_it_is_deleted_until_it_is_proved_gone(case: str) -> None:
    """A value that outlives its stack is a value that nobody will change when it leaks."""
    seen, fields, text = REMOVALS[case]

    decision = look(None, thing(seen, **fields))

    assert decision.actions == (Release(""),)
    assert decision.conditions[0].message == text


@pytest.mark.parametrize("things", [(), (thing(Absent()),)])
def test_it_is_forgotten_once_it_is_gone(things: tuple[Thing, ...]) -> None:
    """Its meters, its name and its record go with it."""
    assert look(None, *things).forget


def test_the_plan_says_which_are_still_to_be_set() -> None:
    """Better now than when the job that needs it waits in the night."""
    drawn, given, missing = (Ref("digits", "secret", name) for name in ("drawn", "given", "missing"))
    proposal = Proposal({drawn: secret(generate=8), given: secret(), missing: secret()}, {given: {"version": 1}})

    (finding,) = checks(proposal)

    assert (finding.ref, finding.suggestion) == (missing, "weyr secret set digits/missing")


FACTS = st.builds(SecretFacts, st.integers(0, 2))
SPECS = st.sampled_from((secret(), secret(generate=32), None))


@settings(max_examples=200, deadline=None)
@given(moves(FACTS, SPECS))
def test_whatever_happens_it_is_not_forgotten_too_early(history: list[Move]) -> None:
    """Never: forgotten while its value may be there. Eventually: gone when nobody wants it."""
    ours = History(KIND, KEY)
    for move in history:
        ours.move(move)
    assert goes_away(ours)
