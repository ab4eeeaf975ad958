"""Is this name, key or value one that may be kept? MLflow's limits, so that its clients agree.

Source: mlflow-skinny 3.17.2, `mlflow/utils/validation.py` (read 2026-11).
"""

import json
import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache

from weyr.tracking.entities import Dataset, Metric, Tag
from weyr.tracking.errors import TrackingError, invalid

METRICS_MAX = 1000
PARAMS_TAGS_MAX = 100
ENTITIES_MAX = 1000
KEY_CHARS_MAX = 250
PARAM_CHARS_MAX = 6000
TAG_CHARS_MAX = 8000
EXPERIMENT_NAME_CHARS_MAX = 500
EXPERIMENT_TAG_CHARS_MAX = 20_000
MODEL_NAME_CHARS_MAX = 256
MODEL_TAG_CHARS_MAX = 100_000
ALIAS_CHARS_MAX = 255
INT64_MAX = 2**63 - 1

# Slashes, dots, dashes, spaces and colons besides word characters: MLflow's rule for every key.
_KEY = re.compile(r"^[/\w.\- :]*$")
_RUN_ID = re.compile(r"^[a-zA-Z0-9][\w\-]{0,255}$")
_ALIAS = re.compile(r"^[\w\-]+$")
_VERSION_ALIAS = re.compile(r"^[vV]\d+$")
_KEY_RULE = (
    "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), "
    "colon(:) and slashes (/)."
)


def check_key(key: str, place: str) -> None:
    """The rule for the keys of metrics, params and tags."""
    fault = _key_fault(key)
    if fault:
        raise _bad(place, key, fault)


@lru_cache(maxsize=4096)
def _key_fault(key: str) -> str:
    """Empty when the key is fine. Remembered, because a task logs few keys very often."""
    if len(key) > KEY_CHARS_MAX:
        return f"'key' exceeds the maximum length of {KEY_CHARS_MAX} characters"
    if not _KEY.match(key):
        return _KEY_RULE
    if _is_not_a_plain_path(key):
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as "
            f"such. This name would resolve to {posixpath.normpath(key)!r}"
        )
    return ""


def check_metric(metric: Metric, place: str = "") -> None:
    check_key(metric.key, _join(place, "name"))
    if not 0 <= metric.at_ms <= INT64_MAX:
        raise _bad(
            _join(place, "timestamp"),
            metric.at_ms,
            f"metric '{metric.key}' (value={metric.value}). Timestamp must be a nonnegative long (64-bit integer) ",
        )
    if not -INT64_MAX - 1 <= metric.step <= INT64_MAX:
        raise _bad(
            _join(place, "step"),
            metric.step,
            f"metric '{metric.key}' (value={metric.value}). Step must be a valid long (64-bit integer).",
        )


def check_param(param: Tag, place: str = "") -> None:
    check_key(param.key, _join(place, "key"))
    check_length("Param value", PARAM_CHARS_MAX, param.value)


def check_tag(tag: Tag, place: str = "", chars_max: int = TAG_CHARS_MAX) -> None:
    check_key(tag.key, _join(place, "key"))
    check_length(_join(place, "value"), chars_max, tag.value)


def check_batch(metrics: Sequence[Metric], params: Sequence[Tag], tags: Sequence[Tag]) -> None:
    """The rule for one log-batch: how many of each, each one valid, no param twice."""
    total = len(metrics) + len(params) + len(tags)
    for what, limit, count in (
        ("metrics", METRICS_MAX, len(metrics)),
        ("params", PARAMS_TAGS_MAX, len(params)),
        ("tags", PARAMS_TAGS_MAX, len(tags)),
        ("metrics, params, and tags", ENTITIES_MAX, total),
    ):
        if count > limit:
            raise invalid(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
                f"Please split up {what} across multiple requests and try again."
            )
    for index, metric in enumerate(metrics):
        check_metric(metric, f"metrics[{index}]")
    for index, param in enumerate(params):
        check_param(param, f"params[{index}]")
    for index, tag in enumerate(tags):
        check_tag(tag, f"tags[{index}]")
    keys = [param.key for param in params]
    twice = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) < len(keys) else []
    if twice:
        raise invalid(
            f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request contains only one "
            "param value per param key."
        )


def check_run_id(run_id: str) -> None:
    if not _RUN_ID.match(run_id):
        raise _bad("run_id", run_id)


def check_experiment_name(name: str) -> None:
    if not name:
        raise invalid(f"Invalid experiment name: '{name}'")
    check_length("name", EXPERIMENT_NAME_CHARS_MAX, name)


def check_model_name(name: str) -> None:
    if not name.strip():
        raise invalid("Missing value for required parameter 'name'.")
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    if _is_not_a_plain_path(name):
        raise _bad("name", name, "Names must not resolve to other names when treated as files.")
    check_length("name", MODEL_NAME_CHARS_MAX, name)


def check_logged_model_name(name: str) -> None:
    if any(character in name for character in "/:.%\"'"):
        raise invalid(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain "
            "the following characters: ('/', ':', '.', '%', '\"', \"'\")"
        )


def check_alias(alias: str) -> None:
    if not alias:
        raise invalid("Registered model alias name cannot be empty.")
    if not _ALIAS.match(alias):
        raise invalid(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    check_length("Registered model alias name", ALIAS_CHARS_MAX, alias)
    if alias.lower() == "latest":
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.match(alias):
        raise invalid(f"Version alias name '{alias}' is reserved.")


def check_dataset(dataset: Dataset) -> None:
    check_length("name", 500, dataset.name)
    check_length("digest", 36, dataset.digest)
    check_length("source", 65_535, dataset.source)
    check_length("schema", 1_048_575, dataset.schema or "")
    check_length("profile", 16_777_215, dataset.profile or "")


def check_length(what: str, limit: int, text: str) -> None:
    if len(text) > limit:
        raise invalid(f"'{what}' exceeds the maximum length of {limit} characters")


def _is_not_a_plain_path(name: str) -> bool:
    plain = posixpath.normpath(name)
    return plain != name or plain == "." or plain.startswith(("..", "/"))


def _join(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _bad(place: str, value: object, reason: str = "") -> TrackingError:
    said = f"Invalid value {json.dumps(value, default=str)} for parameter '{place}' supplied"
    return invalid(f"{said}: {reason}" if reason else f"{said}.")
