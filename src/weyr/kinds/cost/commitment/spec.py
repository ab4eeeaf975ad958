"""What may be said of a commitment."""

from datetime import date
from typing import Annotated, Literal

from weyr.core.commitments import Form
from weyr.core.schema import Boolean, Count, MoneyAmount, Share, Spec, checked, field
from weyr.core.units import Money


def _day(text: str) -> str:
    """Raises: ValueError."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as e:
        raise ValueError(f'"{text}" is not a day such as 2027-11-30') from e


class CommitmentSpec(Spec):
    """A savings plan, reserved machines or committed use, as its contract says."""

    form: Form = field(description="What it is called where it was bought.")
    covers: tuple[str, ...] = field(
        description="The price books whose use on demand it pays for; aws/* is all of AWS.",
        examples=[["aws/g5.xlarge"]],
        min_length=1,
        max_length=50,
    )
    term: Literal["1y", "3y"] = field(description="For how long it was bought.")
    until: Annotated[str, checked(_day)] = field(
        description="The day after its last, in UTC: then its fee ends, and it covers no more.", examples=["2027-12-01"]
    )
    count: Count | None = field(
        None, description="How many machines it is for: of one book. Without it, it is for an amount an hour."
    )
    hourly: MoneyAmount = field(
        Money(0), description="What is paid for each hour, used or not: of one machine where there is a count."
    )
    upfront: MoneyAmount = field(
        Money(0),
        description="What was paid at once for all of it: each hour of the term has an equal part of that.",
    )
    discount: Share | None = field(
        None, description="How much less than on demand it makes what it covers; where there is a count, that follows."
    )
    shared: Boolean = field(False, description="What this stack leaves of an hour, other stacks may use.")
    id: str = field("", description="The provider's own name for it, for bills that are compared.", max_length=300)
