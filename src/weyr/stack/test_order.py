"""Order from needs: whatever the graph, what is needed comes first, and circles are spelled out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from weyr.core.ref import Ref
from weyr.stack.order import cycles, levels, ordered


def ref(name: str) -> Ref:
    return Ref("s", "k", name)


def graph(text: str) -> dict[Ref, list[Ref]]:
    """`a>b a>c b` → a needs b and c."""
    needs: dict[Ref, list[Ref]] = {}
    for word in text.split():
        name, arrow, need = word.partition(">")
        needs.setdefault(ref(name), [])
        if arrow:
            needs.setdefault(ref(need), [])
            needs[ref(name)].append(ref(need))
    return needs


def names(refs: tuple[Ref, ...]) -> str:
    return " ".join(r.name for r in refs)


def test_what_is_needed_comes_first_and_the_rest_in_parallel() -> None:
    """A demo starts its bucket and its model at the same moment."""
    assert [names(level) for level in levels(graph("job>bucket job>model endpoint>model"))] == [
        "bucket model",
        "endpoint job",
    ]


def test_a_need_outside_is_taken_as_there() -> None:
    """A removal orders only what goes away."""
    assert names(ordered({ref("a"): [ref("elsewhere")]})) == "a"


def test_a_circle_is_spelled_out_from_its_smallest_object() -> None:
    """The reader has to see which reference to take out."""
    assert [names(cycle) for cycle in cycles(graph("c>a a>b b>c d>a e"))] == ["a b c a"]


def test_two_circles_are_both_told() -> None:
    """All problems at once."""
    assert [names(cycle) for cycle in cycles(graph("a>b b>a x>y y>x"))] == ["a b a", "x y x"]


def test_no_circle_is_no_circle() -> None:
    """A diamond is not one."""
    assert cycles(graph("a>b a>c b>d c>d")) == ()


def test_a_long_chain_needs_no_deep_recursion() -> None:
    """A generated stack may have thousands of objects in a row."""
    chain = {ref(f"n{i}"): [ref(f"n{i + 1}")] for i in range(5_000)}

    assert len(ordered({**chain, ref("n5000"): []})) == 5_001


NODES = st.sampled_from("abcdefg")


@given(st.sets(st.tuples(NODES, NODES), max_size=20))
def test_any_graph_has_an_order_or_a_circle(edges: set[tuple[str, str]]) -> None:
    """Never both, never neither."""
    needs = {ref(name): sorted({ref(to) for source, to in edges if source == name}) for name in "abcdefg"}

    line, found = ordered(needs), cycles(needs)

    assert (len(line) == len(needs)) == (not found)
    for position, one in enumerate(line):
        assert all(need in line[:position] for need in needs[one])
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(after in needs[before] for before, after in pairwise(cycle))
