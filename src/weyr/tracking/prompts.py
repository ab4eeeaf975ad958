"""Which registered models are models? MLflow keeps prompt templates beside them, told apart by a tag.

Its client asks for models with `tag.mlflow.prompt.is_prompt != 'true'`, which must also find those
that have no such tag; so the tag is not compared like others.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, and_, exists, func, select

from weyr.tracking.entities import Tag
from weyr.tracking.filters import Comparison, Entity

PROMPT_TAG = "mlflow.prompt.is_prompt"


def without_prompt_clause(comparisons: Sequence[Comparison]) -> tuple[list[Comparison], bool]:
    """Gives the other comparisons, and whether prompts are asked for instead of models."""
    others = [each for each in comparisons if (each.entity, each.key) != (Entity.TAG, PROMPT_TAG)]
    asked = [each for each in comparisons if (each.entity, each.key) == (Entity.TAG, PROMPT_TAG)]
    return others, any((each.operator, each.value) == ("=", "true") for each in asked)


def prompt_condition(tags: Table, owner: ColumnElement[bool], wants_prompts: bool) -> ColumnElement[bool]:
    """Takes the table of tags, and the condition that joins it to the row it belongs to."""
    is_prompt = exists(select(1).where(and_(owner, tags.c.key == PROMPT_TAG, func.lower(tags.c.value) == "true")))
    return is_prompt if wants_prompts else ~is_prompt


def are_prompt_tags(tags: Sequence[Tag]) -> bool:
    return any(tag.key == PROMPT_TAG and tag.value.lower() == "true" for tag in tags)
