"""Which version of an endpoint answers which request, and who answers where none can?"""

from typing import Annotated, Literal

from weyr.core.json_paths import path_of
from weyr.core.schema import Duration, MoneyAmount, Reference, Share, SpecPart, checked, field, to

Text = Annotated[str, field(min_length=1, max_length=200)]
Model = Annotated[Reference, to("model", alias="production", is_shared=True)]


def _path(text: str) -> str:
    path_of(text)
    return text


class Variant(SpecPart):
    """One of several models that answer side by side."""

    short = "model"

    model: Model = field(description="What it serves: a model and an alias.", examples=["digits@candidate"])
    weight: int = field(
        1, description="Its share of the sum of all weights; 0: reached by rules alone.", ge=0, le=10_000, strict=True
    )


class Rule(SpecPart):
    """Requests that all of this holds of go to one variant, whatever its weight."""

    to: str = field(description="The variant; or canary, for a new version that is on its way.", min_length=1)
    header: dict[Text, Text] = field(
        {}, description="Headers and their values; * for any.", examples=[{"x-beta": "yes"}], max_length=20
    )
    cookie: dict[Text, Text] = field({}, description="Cookies and their values; * for any.", max_length=20)
    caller: tuple[Text, ...] = field(
        (), description="Callers (tenants), each possibly ending in *.", examples=[["acme-*"]], max_length=100
    )


class Sticky(SpecPart):
    """By what a caller stays with one variant."""

    short = "by"

    by: Literal["caller", "header", "cookie"] = field("caller", description="By whose token, a header or a cookie.")
    name: str = field("", description="The header's or cookie's name; a cookie that is missing is set.", max_length=100)
    keep: Duration = field(30 * 86400.0, description="How long a cookie is kept.", ge=1, le=400 * 86400)


class Shadow(SpecPart):
    """A model that gets copies of requests; its answers are compared, and thrown away."""

    short = "model"

    model: Model = field(description="The model and its alias.", examples=["digits@candidate"])
    sample: Share = field(1.0, description="How many of the requests it gets a copy of.", examples=["10%"])
    tolerance: float = field(
        0.0, description="By how much numbers of two answers may differ, relative to the larger.", ge=0, le=1
    )
    ignore: tuple[Annotated[str, checked(_path)], ...] = field(
        (), description="Paths into JSON answers whose values may differ, beside the id, time, model and version that "
        "OpenAI's protocol and the Open Inference Protocol name an answer by.", max_length=50,
        examples=[["usage", "choices[*].logprobs"]],
    )  # fmt: skip


class Fallback(SpecPart):
    """Who answers where the endpoint cannot: another endpoint, or a server that speaks as OpenAI's does."""

    short = "endpoint"

    endpoint: Annotated[Reference, to("endpoint")] | None = field(None, description="Another endpoint of this stack.")
    url: str | None = field(
        None,
        description="A server that speaks as OpenAI's does.",
        pattern=r"^https?://",
        examples=["https://api.openai.com/v1"],
    )
    model: str = field("", description="The model that it is asked for.", max_length=200, examples=["gpt-4o-mini"])
    secret: Annotated[Reference, to("secret")] | None = field(
        None, description="The secret that holds its key; it is passed over while that has no value."
    )
    key_file: str = field(
        "", description="Instead of a secret, a file with its key, relative to the stack file.", max_length=1000
    )
    prompt_price: MoneyAmount | None = field(
        None, description="What a million tokens of prompts cost there.", examples=["0.15 USD"]
    )
    completion_price: MoneyAmount | None = field(
        None, description="What a million tokens of its answers cost.", examples=["0.60 USD"]
    )
    budget: MoneyAmount | None = field(None, description="It is passed over once it has cost this.")
    per: Literal["day", "month"] = field("month", description="The time of UTC that its budget is for.")
    after: Duration = field(30.0, description="How long those before it may be silent.", gt=0, le=3600)


class Balance(SpecPart):
    """Which replica of a version answers a request."""

    short = "by"

    by: Literal["least", "prefix", "session"] = field(
        "least", description="least: the one with the fewest requests. prefix: the one that had the prompt's beginning "
        "before. session: the one that had the session before.",
    )  # fmt: skip
    header: str = field("", description="The header that names the session.", max_length=100)
    cookie: str = field("", description="The cookie that names the session.", max_length=100)
