"""How does a stack's secret come to have a value? Drawn here once, or set by somebody; kept by the vault."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from weyr.core.capability import Capability, Refused, SecretBody, Wanted
from weyr.core.diagnostic import WeyrError
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, SecretFacts, Seen, Unknown

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""What a value is drawn from: nothing that a shell, a URL or a YAML file reads as something else.
Each character is worth 5.95 bits."""

_FAIR = 256 // len(ALPHABET) * len(ALPHABET)


class Entry(Protocol):
    """A secret that has a value. `generation` 0: no stack asked for it yet."""

    @property
    def ref(self) -> Ref: ...
    @property
    def version(self) -> int: ...
    @property
    def generation(self) -> int: ...


class Vault(Protocol):
    """What keeps the values; `weyr.access.secrets.Secrets` is one."""

    def list(self) -> Sequence[Entry]: ...

    def adopt(self, ref: Ref, generation: int, draw: Callable[[], bytes] | None) -> bool:
        """Takes on a wish; without a value, `draw` gives one. False where a newer wish was taken on."""
        ...

    def delete(self, ref: Ref) -> bool: ...


class LocalSecrets:
    """Provider of secrets. A value that somebody set is kept; `generate` only fills an empty place.

    `inventory` holds what a stack asked for. What was set for a stack that is not up yet is nobody's
    orphan: it must not be swept away before the stack comes.
    """

    capability = Capability.SECRETS

    def __init__(self, vault: Vault, random: Callable[[int], bytes]) -> None:
        self._vault = vault
        self._random = random

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        try:
            entries = {ThingId(entry.ref): entry for entry in self._vault.list()}
        except WeyrError as e:
            return {id: Unknown(str(e)) for id in ids}
        return {id: _seen(entries.get(id)) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        return {want.id: Refused(reason) for want in wanted if (reason := self._ensure(want))}

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        """Deletes the values; their copies in running tasks' environments end with the tasks."""
        for id in ids:
            self._vault.delete(id.ref)
        return {}

    def inventory(self) -> Sequence[ThingId]:
        return [ThingId(entry.ref) for entry in self._vault.list() if entry.generation]

    def _ensure(self, want: Wanted) -> str:
        """Why not, or nothing."""
        body = want.body
        if not isinstance(body, SecretBody):
            return f"a secret store cannot hold a {body.of}"
        if want.id != ThingId(Ref(want.id.ref.stack, "secret", want.id.ref.name)):
            return "a secret has one value; it has no parts"
        draw = (lambda: drawn(body.generate, self._random)) if body.generate else None
        if not self._vault.adopt(want.id.ref, want.generation, draw):
            return f"generation {want.generation} is older than what was asked for last"
        return ""


def drawn(length: int, random: Callable[[int], bytes]) -> bytes:
    """`length` characters of the alphabet, each as likely as the others."""
    characters = _characters(random)
    return bytes(next(characters) for _ in range(length))


def _characters(random: Callable[[int], bytes]) -> Iterator[int]:
    while True:
        # Bytes past the last whole multiple of the alphabet would make its first letters likelier.
        yield from (ALPHABET[byte % len(ALPHABET)] for byte in random(64) if byte < _FAIR)


def _seen(entry: Entry | None) -> Seen:
    return Present(SecretFacts(entry.version), entry.generation) if entry else Absent()
