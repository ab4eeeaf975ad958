"""How old may an answer be to count?"""

from weyr.core.seen import Absent, Unknown, newer_than


def test_an_answer_counts_only_if_it_is_younger_than_what_was_asked() -> None:
    """At the very moment it may be from either side, and "absent" from before a task was begun is no proof."""
    assert newer_than(5.0, Absent(5.5)) == Absent(5.5)
    assert newer_than(5.0, Absent()) == Absent()
    assert isinstance(newer_than(5.0, Absent(5.0)), Unknown)
    assert isinstance(newer_than(5.0, Absent(4.0)), Unknown)
