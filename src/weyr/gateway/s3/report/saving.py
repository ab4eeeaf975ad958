"""What would a rule take away today, and what of that is then no longer paid for?

In a bucket that keeps versions, what expires becomes an old version: it costs as before until a rule ends those too.
What object lock keeps stays. Deletes and expirations are free at S3, so that a rule of these costs no request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.report.filling import DAY_S, Sum
from weyr.gateway.s3.report.rules import WishedRule

USUAL = {
    "checkpoints": 30 * DAY_S, "tmp": 7 * DAY_S, "temp": 7 * DAY_S, "scratch": 7 * DAY_S, "cache": 30 * DAY_S,
    "logs": 90 * DAY_S,
}  # fmt: skip
"""First folders whose names say that what is in them is not for good, and after which age a rule is suggested."""
VERSIONS_AFTER_S, UPLOADS_AFTER_S = 30 * DAY_S, 7 * DAY_S


@dataclass(slots=True)
class Saving:
    """What one rule would end today: `freed` is paid for no longer, `kept` becomes old versions first."""

    rule: WishedRule
    objects: Sum = field(default_factory=Sum)
    versions: Sum = field(default_factory=Sum)
    uploads: Sum = field(default_factory=Sum)
    kept: Sum = field(default_factory=Sum)
    locked: int = 0

    @property
    def freed_bytes(self) -> int:
        return self.objects.size_bytes + self.versions.size_bytes + self.uploads.size_bytes


class Savings:
    """What each of these rules would end; what two would end counts for the first."""

    def __init__(self, rules: Sequence[WishedRule], keeps_versions: bool, now_ms: int) -> None:
        self.each = [Saving(rule) for rule in rules]
        self._keeps_versions, self._now_ms = keeps_versions, now_ms

    def object(self, key: str, size: int, modified_ms: int, meta: str) -> None:
        age_s = (self._now_ms - modified_ms) / 1000
        for saving in self.each:
            rule = saving.rule
            if rule.expire_after is None or age_s < rule.expire_after or not key.startswith(rule.prefix):
                continue
            if rule.tags and not rule.has(key, Meta.of(meta).tags):
                continue
            if self._keeps_versions:
                # Also what is locked gets its marker; its bytes stay either way.
                saving.kept.add(size)
            else:
                saving.objects.add(size)
            return

    def version(self, key: str, size: int, ended_ms: int, meta: str) -> None:
        age_s = (self._now_ms - ended_ms) / 1000
        for saving in self.each:
            after_s = saving.rule.noncurrent_expire_after
            if after_s is None or age_s < after_s or not key.startswith(saving.rule.prefix):
                continue
            if _is_locked(meta, self._now_ms):
                saving.locked += 1
            else:
                saving.versions.add(size)
            return

    def upload(self, key: str, size: int, created_ms: int) -> None:
        age_s = (self._now_ms - created_ms) / 1000
        for saving in self.each:
            after_s = saving.rule.abort_uploads_after
            if after_s is not None and age_s >= after_s and key.startswith(saving.rule.prefix):
                saving.uploads.add(size)
                return


def usual_rules(folders: Sequence[str]) -> list[WishedRule]:
    """The rules that are tried without being asked for. Takes the first folders that the bucket has."""
    rules = [WishedRule(f"{name}/", expire_after=USUAL[name]) for name in sorted(set(folders) & set(USUAL))]
    rules.append(WishedRule(noncurrent_expire_after=VERSIONS_AFTER_S))
    rules.append(WishedRule(abort_uploads_after=UPLOADS_AFTER_S))
    return rules


def _is_locked(meta: str, now_ms: int) -> bool:
    if '"lock' not in meta and '"hold"' not in meta:
        return False
    kept = Meta.of(meta)
    return kept.hold == "ON" or kept.lock_until_ms > now_ms
