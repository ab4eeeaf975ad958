"""Which rates of services does somebody mean by a few words? `s3`, `s3 glacier`, `egress`. Pure."""

import re
from collections.abc import Collection, Sequence

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.ledger.prices.areas import is_within, unknown_region
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.rates import Rate


def is_of_rates(catalogue: Catalogue, words: Sequence[str]) -> bool:
    """Whether the words name a service, or what services ask for (`storage`, `egress`, `requests`), and no machine."""
    lowered = {word.lower() for word in words}
    if lowered & services_of(catalogue):
        return True
    machines = {name.lower() for each in catalogue.machines.values() for name in (each.instance, each.accelerator)}
    is_machine = any(name.startswith(word) for name in machines for word in lowered)
    return bool(lowered) and not is_machine and lowered <= parts_of(catalogue)


def services_of(catalogue: Catalogue) -> set[str]:
    return {service for _, service, _, _ in catalogue.all_rates}


def parts_of(catalogue: Catalogue) -> set[str]:
    """What names of rates are made of: `storage`, `egress`, `glacier_instant_retrieval`."""
    return {part for _, _, _, name in catalogue.all_rates for part in name.split(".") if part.isidentifier()}


def find_rates(catalogue: Catalogue, words: Sequence[str], provider: str = "", region: str = "") -> list[Rate]:
    """The rates of the services among the words whose names have all the other words in them; by place and name.

    Raises: UserError, where a word or the region is none that is known, or nothing is known of all together.
    """
    lowered = [word.lower() for word in words]
    services = set(lowered) & services_of(catalogue)
    others = [word for word in lowered if word not in services]
    of = [
        rate
        for rate in catalogue.all_rates.values()
        if (not services or rate.service in services) and provider in ("", rate.provider)
    ]
    problems = [*_unknown_words(others, of, sorted(services)), *_unknown_place(region, of)]
    if problems:
        raise UserError(*problems)
    meant = [rate for rate in of if all(word in rate.name for word in others)]
    found = [rate for rate in meant if not rate.region or is_within(rate.region, region)]
    if not found:
        detail = f"Nothing is known of {' '.join(words)} in {region or 'any region'}.{_known_in(meant)}"
        raise UserError(Diagnostic("No price is known", detail, suggestion="weyr prices refresh aws --help"))
    return sorted(found, key=lambda rate: (rate.provider, rate.service, rate.region, rate.name))


def _unknown_words(words: Sequence[str], rates: Collection[Rate], services: Sequence[str]) -> list[Diagnostic]:
    names = {rate.name for rate in rates}
    parts = {part for name in names for part in re.split(r"[._]", name)}
    of = f" of {' or '.join(services)}" if services else ""
    return [
        Diagnostic("Unknown rate", f'No rate{of} has "{word}" in its name.{did_you_mean(word, parts)}')
        for word in words
        if not any(word in name for name in names)
    ]


def _unknown_place(region: str, rates: Collection[Rate]) -> list[Diagnostic]:
    known = {rate.region for rate in rates} - {""}
    if not region or not known or any(is_within(each, region) for each in known):
        return []
    return [unknown_region(region, known)]


def _known_in(rates: Collection[Rate]) -> str:
    known = sorted({rate.region for rate in rates} - {""})
    return f" It is known in {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}." if known else ""
