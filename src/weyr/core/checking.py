"""What may a kind's own checks look at, and how do they say what they found? Plain values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weyr.core.decision import Scalar
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.core.schema import Reference, Spec, references_of


@dataclass(frozen=True, slots=True)
class Costs:
    """What an object would cost in a month, but for the `unpriced` SKUs that it uses as well."""

    monthly_micros: int = 0
    unpriced: tuple[str, ...] = ()
    run_micros: int | None = None
    """One run of it, where it has runs."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A stack as a plan would leave it.

    `outputs` are those of objects that stand already; `monthly_micros` is what the priced part of
    the stack would cost in a month, `costs` what each object would, and `before_micros` what it costs as it stands.
    `may_pass`: whoever plans allows it to pass its budgets.
    """

    specs: Mapping[Ref, Spec]
    outputs: Mapping[Ref, Mapping[str, Scalar]]
    monthly_micros: int = 0
    currency: str = "USD"
    costs: Mapping[Ref, Costs] = field(default_factory=dict)
    before_micros: int = 0
    may_pass: bool = False
    _named: dict[Ref, list[tuple[Ref, Reference]]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """All references by what they name, gathered once: a check asks of each of its objects."""

    def __post_init__(self) -> None:
        for other, spec in self.specs.items():
            for _path, reference in references_of(spec):
                self._named.setdefault(reference.ref(other.stack), []).append((other, reference))

    def references_to(self, ref: Ref) -> Sequence[tuple[Ref, Reference]]:
        """Who names an object, and how."""
        return self._named.get(ref, ())


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has to say of one field of one object; `path` () means the object as a whole."""

    ref: Ref
    path: tuple[str | int, ...]
    severity: Severity
    summary: str
    detail: str
    suggestion: str = ""


ROUTED = frozenset({"endpoint", "function", "service"})
"""Kinds whose objects are called at /stack/name: two of one name would have one address."""


def shared_address(proposal: Proposal, ref: Ref) -> Iterator[Finding]:
    """A fatal finding where objects of two kinds would have one address; told of the later kind."""
    for kind in sorted(ROUTED):
        other = Ref(ref.stack, kind, ref.name)
        if kind < ref.kind and other in proposal.specs:
            detail = f"{other} and {ref} would both be called at /{ref.stack}/{ref.name}."
            yield Finding(ref, (), Severity.FATAL, "Two objects with one address", detail)


def shared_names(names: Mapping[Ref, str]) -> Iterator[Finding]:
    """A fatal finding for each object whose name in the world outside is another one's too."""
    owners: dict[str, Ref] = {}
    for ref, name in names.items():
        owner = owners.setdefault(name, ref)
        if owner != ref:
            detail = f'{owner} and {ref} would both be "{name}"; each would undo what the other does.'
            yield Finding(ref, ("name",), Severity.FATAL, "Two objects with one name", detail)
