"""A model's alias belongs to the newest version that passes its gate, whatever is done to it outside."""

import math
from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.capability import Capability, ModelBody
from weyr.core.decision import Decision, Ensure, Phase, Release, Thing, View, Want, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import ValidationError, from_plain
from weyr.core.seen import Absent, ModelFacts, Present, SecretFacts, Seen, Unknown, VersionFacts
from weyr.kinds.ml.model import KIND
from weyr.kinds.ml.model.decide import decide
from weyr.kinds.ml.model.gate import failures_of, parse_rule
from weyr.kinds.ml.model.memory import ModelMemory
from weyr.kinds.ml.model.spec import ModelSpec

DIGITS = Ref("digits", "model", "digits")
GATE = {"accuracy": ">= 0.95"}


def model(**fields: Any) -> ModelSpec:
    spec: ModelSpec = from_plain(ModelSpec, {"promote_if": GATE, **fields})
    return spec


def version(number: int, accuracy: float | None = None) -> VersionFacts:
    metrics = () if accuracy is None else (("accuracy", accuracy),)
    return VersionFacts(number, f"s3://lake/{number}", metrics=metrics)


def registered(*versions: VersionFacts, **aliases: int) -> Present:
    return Present(ModelFacts(versions, tuple(aliases.items())))


class Registry:
    """A model in the hands of a registry that does as it is told, look by look."""

    def __init__(self, spec: ModelSpec | None = None) -> None:
        self.spec, self.generation, self.now = spec or model(), 1, 1000.0
        self.memory: ModelMemory | None = None
        self.thing: Thing | None = None

    def look(self, seen: Seen | None = None, **fields: Any) -> Decision[ModelMemory]:
        """What is decided when the model is seen so, with everything asked before accepted."""
        things = {}
        if seen is not None:
            old = self.thing or Thing("", Capability.REGISTRY, 1_000_000, seen, None)
            things = {"": Thing(**{"part": "", "capability": old.capability, "generation": old.generation,
                                   "is_accepted": True, **fields, "seen": seen})}  # fmt: skip
        decision = decide(Want(DIGITS, self.spec, self.generation), View(self.now, things, memory=self.memory))
        self.memory = decision.memory
        (ensure,) = decision.actions
        assert isinstance(ensure, Ensure)
        self.thing = Thing("", Capability.REGISTRY, ensure.generation or 0, seen or Unknown(), ensure.body, True)
        return decision

    def wants(self, spec: ModelSpec) -> None:
        self.spec, self.generation = spec, self.generation + 1


def aliases(decision: Decision[ModelMemory]) -> dict[str, int]:
    (ensure,) = decision.actions
    assert isinstance(ensure, Ensure)
    assert isinstance(ensure.body, ModelBody)
    return dict(ensure.body.aliases)


def phase(decision: Decision[ModelMemory]) -> Phase:
    return phase_of(decision.conditions, is_removing=False)


def events(decision: Decision[ModelMemory]) -> list[str]:
    return [note.event for note in decision.notes]


VERDICTS: dict[str, tuple[tuple[VersionFacts, ...], int, Phase]] = {
    # which versions there are: (versions, the one chosen, phase)
    "none": ((), 0, Phase.READY),
    "one that passes": ((version(1, 0.95),), 1, Phase.READY),
    "one that fails": ((version(1, 0.94),), 0, Phase.FAILED),
    "one that is no number": ((version(1, math.nan),), 0, Phase.FAILED),
    "one that is without bound": ((version(1, math.inf),), 0, Phase.FAILED),
    "a better one": ((version(1, 0.99), version(2, 0.96)), 2, Phase.READY),
    "a worse one": ((version(1, 0.99), version(2, 0.5)), 1, Phase.READY),
    "two at once, of which the older passes": ((version(4, 0.99), version(9, 0.5)), 4, Phase.READY),
    "two that fail": ((version(1, 0.5), version(2, 0.5)), 0, Phase.FAILED),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_alias_belongs_to_the_newest_that_passes(case: str) -> None:
    """What is served is what was good enough; one bad training takes nothing down and fails nothing that serves."""
    versions, chosen, word = VERDICTS[case]

    decision = Registry().look(registered(*versions))

    assert aliases(decision) == ({"production": chosen} if chosen else {})
    assert decision.outputs.get("production.source") == (f"s3://lake/{chosen}" if chosen else None)
    assert phase(decision) is word


def test_a_verdict_is_told_once() -> None:
    """The story has one line for each version, not one for each look."""
    registry = Registry()
    failed = registry.look(registered(version(1, 0.5)))
    same = registry.look(registered(version(1, 0.5)))
    passed = registry.look(registered(version(1, 0.5), version(2, 0.97)))
    worse = registry.look(registered(version(1, 0.5), version(2, 0.97), version(3, 0.1), production=2))

    assert [events(decision) for decision in (failed, same, passed, worse)] == [
        ["gate.failed"], [], ["gate.passed"], ["gate.failed"],
    ]  # fmt: skip
    assert failed.notes[0].message == "model/digits version 1 failed its gate: accuracy is 0.5, not >= 0.95"
    assert passed.notes[0].message == "model/digits version 2 passed its gate (accuracy 0.97)"
    assert worse.conditions[0].message.startswith("production is version 2; version 3 failed its gate")


def test_a_metric_may_come_after_its_version() -> None:
    """Clients register a version first and log its accuracy then; failing it in between would end `weyr up`."""
    registry = Registry()
    waiting = registry.look(registered(version(1)))
    registry.now += 10
    passed = registry.look(registered(version(1, 0.96)))

    assert (phase(waiting), waiting.again_s) == (Phase.WAITING, 1.0)
    assert waiting.conditions[0].message == "1 version, none chosen; version 1 has no metric accuracy yet"
    assert (phase(passed), aliases(passed)) == (Phase.READY, {"production": 1})


def test_a_metric_that_does_not_come_fails_and_may_still_be_mended() -> None:
    """A gate that cannot be judged is not passed; whoever logs the number later need not train again."""
    registry = Registry()
    registry.look(registered(version(1)))
    registry.now += 30
    failed = registry.look(registered(version(1)))
    mended = registry.look(registered(version(1, 0.99)))

    assert (phase(failed), failed.again_s) == (Phase.FAILED, None)
    assert failed.conditions[0].message.endswith("it has no metric accuracy")
    assert aliases(mended) == {"production": 1}


def test_what_serves_goes_on_while_a_new_version_waits_for_its_metric() -> None:
    """The endpoint behind it is not disturbed by a training that is about to end."""
    registry = Registry()
    registry.look(registered(version(1, 0.96)))
    decision = registry.look(registered(version(1, 0.96), version(2), production=1))

    assert (phase(decision), aliases(decision)) == (Phase.READY, {"production": 1})


def test_what_has_passed_is_not_judged_again() -> None:
    """A run that goes on logging must not take down what was promoted on its word."""
    registry = Registry()
    registry.look(registered(version(1, 0.96)))

    assert aliases(registry.look(registered(version(1, 0.1), production=1))) == {"production": 1}


RULES: dict[str, tuple[dict[str, str], int, Phase]] = {
    # what the gate asks from now on, of versions with 0.90, 0.97 and 0.95 of which the last is chosen
    "more than any has": ({"accuracy": ">= 0.99"}, 3, Phase.READY),
    "more than the last has": ({"accuracy": ">= 0.96"}, 2, Phase.READY),
    "less": ({"accuracy": ">= 0.5"}, 3, Phase.READY),
}


@pytest.mark.parametrize("case", RULES)
def test_new_rules_are_put_to_every_version(case: str) -> None:
    """A stricter gate chooses the newest that passes it; where none does, what serves goes on serving."""
    rules, chosen, word = RULES[case]
    versions = (version(1, 0.90), version(2, 0.97), version(3, 0.95))
    registry = Registry()
    registry.look(registered(*versions))
    registry.wants(model(promote_if=rules))

    decision = registry.look(registered(*versions, production=3))

    assert (aliases(decision), phase(decision)) == ({"production": chosen}, word)


def test_a_looser_gate_finds_an_older_version() -> None:
    """Nobody has to train again for a version that is good enough now."""
    versions = (version(1, 0.94), version(2, 0.5))
    registry = Registry()
    failed = registry.look(registered(*versions))
    registry.wants(model(promote_if={"accuracy": ">= 0.9"}))

    assert phase(failed) is Phase.FAILED
    assert aliases(registry.look(registered(*versions))) == {"production": 1}


def test_without_a_gate_the_alias_is_the_clients() -> None:
    """Weyr moves nothing that it was not told to judge."""
    registry = Registry(model(promote_if={}))
    none = registry.look(registered(version(1), version(2)))
    moved = registry.look(registered(version(1), version(2), production=1, beta=2))

    assert (aliases(none), none.conditions[0].message) == ({}, "2 versions, none chosen")
    assert (aliases(moved), events(moved)) == ({}, [])
    assert moved.outputs["beta.version"] == 2
    assert moved.conditions[0].message == "production is version 1"


def test_an_alias_moved_by_a_client_is_put_back_and_told_once() -> None:
    """The gate is the only way to production; whoever went round it reads so in the plan."""
    registry = Registry()
    registry.look(registered(version(1, 0.96), version(2, 0.1)))
    first = registry.look(registered(version(1, 0.96), version(2, 0.1), production=2))
    second = registry.look(registered(version(1, 0.96), version(2, 0.1), production=2))
    removed = registry.look(registered(version(1, 0.96), version(2, 0.1)))
    healed = registry.look(registered(version(1, 0.96), version(2, 0.1), production=1))

    assert [events(decision).count("drift") for decision in (first, second, removed, healed)] == [1, 0, 1, 0]
    assert first.notes[-1].message == "production was moved outside Weyr to version 2; it belongs to version 1"
    assert removed.notes[-1].message.endswith("to no version; it belongs to version 1")
    assert (aliases(first), first.outputs["production.version"], phase(first)) == ({"production": 1}, 1, Phase.READY)


def test_a_move_on_its_way_is_no_drift() -> None:
    """The engine has not answered yet; the old alias is nobody's misdeed."""
    registry = Registry()
    registry.look(registered(version(1, 0.96)))

    assert events(registry.look(registered(version(1, 0.96)), is_accepted=False)) == []


def test_another_alias_in_the_file_is_no_drift() -> None:
    """It is a change in place: the new name is given to what was promoted."""
    registry = Registry()
    registry.look(registered(version(1, 0.96)))
    registry.wants(model(alias="live"))

    decision = registry.look(registered(version(1, 0.96), production=1))

    assert (aliases(decision), events(decision)) == ({"live": 1}, [])


def test_a_deleted_version_gives_way_to_the_next_that_passes() -> None:
    """An alias that is held to what is gone would be refused for ever."""
    registry = Registry()
    registry.look(registered(version(1, 0.96), version(2, 0.97)))
    older = registry.look(registered(version(1, 0.96)))
    none = registry.look(registered())

    assert (aliases(older), events(older)) == ({"production": 1}, ["model.version_gone", "gate.passed"])
    assert (aliases(none), events(none)) == ({}, ["model.version_gone"])
    assert none.conditions[0].reason == "NoVersion"


def test_a_deleted_model_is_registered_again_without_what_it_had() -> None:
    """Its versions count from one again, and no alias is held to one that is not there."""
    registry = Registry()
    registry.look(registered(version(1, 0.96)))
    generation = registry.thing.generation if registry.thing else 0
    deleted = registry.look(Absent())
    again = registry.look(Absent())
    back = registry.look(registered(version(1, 0.5)))

    assert (events(deleted), aliases(deleted), phase(deleted)) == (["drift"], {}, Phase.WORKING)
    assert registry.thing is not None
    assert registry.thing.generation > generation
    assert (events(again), phase(again)) == ([], Phase.WORKING)
    assert events(back) == ["gate.failed"]


def test_others_go_on_while_the_registry_is_silent() -> None:
    """An endpoint needs to know what it serves, also for the second in which nobody answers."""
    registry = Registry()
    before = registry.look(registered(version(1, 0.96)))
    silent = registry.look(Unknown("no answer"))

    assert silent.outputs == before.outputs
    assert phase(silent) is Phase.UNKNOWN


FIRST: dict[str, tuple[Seen | None, dict[str, Any], Phase, str]] = {
    "nothing was asked yet": (None, {}, Phase.WORKING, "Registering"),
    "it is not there yet": (Absent(), {}, Phase.WORKING, "Registering"),
    "something else is there": (Present(SecretFacts()), {}, Phase.WORKING, "Registering"),
    "nobody answers": (Unknown(), {}, Phase.UNKNOWN, "EngineSilent"),
    "its name is another's": (Absent(), {"is_accepted": False, "refusal": "taken"}, Phase.FAILED, "Refused"),
    "its alias is refused": (registered(), {"is_accepted": False, "refusal": "no"}, Phase.FAILED, "Refused"),
}


@pytest.mark.parametrize("case", FIRST)
def test_how_it_begins(case: str) -> None:
    """It is registered before any version exists, so that a job can add one."""
    seen, fields, word, reason = FIRST[case]

    decision = Registry().look(seen, **fields)

    assert (phase(decision), decision.conditions[0].reason) == (word, reason)
    assert ("name" in decision.outputs) is (case == "its alias is refused")


REMOVALS: dict[str, tuple[Seen, dict[str, Any], str]] = {
    "it is there": (registered(), {}, "the model and its versions are being deleted"),
    "nobody has news of it": (Unknown(), {}, "the model and its versions are being deleted"),
    "the last order was not answered": (Absent(), {"is_accepted": False}, "the model and its versions are being"),
    "its removal was refused": (registered(), {"refusal": "busy"}, "it cannot be deleted: busy"),
}


@pytest.mark.parametrize("case", REMOVALS)
def test_it_is_deleted_until_it_is_proved_gone(case: str) -> None:
    """A model that was forgotten would be found by the next stack of that name."""
    seen, fields, text = REMOVALS[case]
    thing = Thing(**{"part": "", "capability": Capability.REGISTRY, "generation": 1, "seen": seen,
                     "is_accepted": True, **fields})  # fmt: skip

    decision = decide(Want(DIGITS, None, 2), View(0.0, {"": thing}))

    assert decision.actions == (Release(""),)
    assert decision.conditions[0].message.startswith(text)


def test_it_is_forgotten_once_it_is_gone() -> None:
    """Nothing is left to be asked about."""
    gone = Thing("", Capability.REGISTRY, 1, Absent(), None, is_accepted=True)

    assert decide(Want(DIGITS, None, 2), View(0.0, {"": gone})).forget
    assert decide(Want(DIGITS, None, 2), View(0.0)).forget


GATES: dict[str, tuple[str, float, bool]] = {
    "at least, and it is": (">= 0.95", 0.95, True),
    "more than, and it is the same": ("> 0.95", 0.95, False),
    "at most": ("<=1e-3", 0.001, True),
    "less than": (" < -2 ", -3.0, True),
    "exactly": ("== 1", 1.0, True),
    "less than, and there is no bound": ("< 1", -math.inf, False),
    "less than, and it is no number": ("< 1", math.nan, False),
}


@pytest.mark.parametrize("case", GATES)
def test_a_rule_is_a_comparison_and_a_number(case: str) -> None:
    """What diverged passes no gate, whichever way it points."""
    rule, value, holds = GATES[case]

    assert parse_rule(rule).holds_for(value) is holds
    assert (failures_of({"m": rule}, {"m": value}) == ()) is holds


@pytest.mark.parametrize("rule", ["0.95", ">= high", "!= 1", ">= 0.95%", "", "< 1e999"])
def test_a_rule_that_cannot_be_understood_is_refused_in_the_file(rule: str) -> None:
    """Not when the first version is there, an hour later."""
    with pytest.raises(ValidationError):
        model(promote_if={"accuracy": rule})


METRICS = st.sampled_from(((), (("accuracy", 0.9),), (("accuracy", 0.99),), (("accuracy", math.nan),)))
VERSIONS = st.lists(METRICS, max_size=3).map(
    lambda found: tuple(VersionFacts(n, f"s3://lake/{n}", metrics=metrics) for n, metrics in enumerate(found, 1))
)
FACTS = st.builds(ModelFacts, VERSIONS, st.sampled_from(((), (("production", 1),), (("production", 3), ("beta", 2)))))
SPECS = st.sampled_from((model(), model(promote_if={"accuracy": "> 0"}), model(promote_if={}), model(alias="b"), None))


@settings(max_examples=200, deadline=None)
@given(moves(FACTS, SPECS))
def test_whatever_happens_an_alias_is_held_only_to_what_is_there(history: list[Move]) -> None:
    """Never: an alias for a version that is seen to be gone, forgotten too early. Eventually: gone."""
    ours = History(KIND, DIGITS)
    for move in history:
        decision = ours.move(move)
        match ours.things.get(""), decision.actions:
            case Thing(seen=Present(facts=ModelFacts(versions=versions))), (Ensure(body=ModelBody(aliases=held)),):
                there = {version.version for version in versions}
                assert {version for _alias, version in held} <= there
    assert goes_away(ours)


@pytest.mark.parametrize(("fields", "told"), [({"only_data": True}, True), ({}, None)])
def test_only_data_is_told_to_the_endpoints(fields: dict[str, Any], told: bool | None) -> None:
    """They refuse what would run code; a model that says nothing leaves its outputs as they were."""
    decision = Registry(model(**fields)).look(registered(version(1, 0.99)))
    assert decision.outputs["production.version"] == 1
    assert decision.outputs.get("only_data") is told
