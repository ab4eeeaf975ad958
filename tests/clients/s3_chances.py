"""What random operations on a store are made of: keys as hostile as S3 allows, bodies, metadata, tags, conditions."""

import hashlib

from hypothesis import strategies as st

KEYS = (
    "a", "A", "a/", "a//", "a/b", "a/b/", "a/b/c", "a//b", "b", "/a", "//", ".", "..", "../a", "a/../b", "ä", "a\u0308",
    "a b+c%2Fd", "a\x01\x1f", "\n", "\0", "&<>\"'", "con", "\U0001f600", "\uffff", "a" * 1024,
)  # fmt: skip
PREFIXES = ("", "a", "a/", "a//", "/", "ä", "..", "\U0001f600", "zz")
DELIMITERS = ("", "/", "//", "b", "\u0308")
SIZES = (0, 1, 100, 16_384, 16_385, 70_000)

keys = st.sampled_from(KEYS)
prefixes, delimiters = st.sampled_from(PREFIXES), st.sampled_from(DELIMITERS)
some_keys = st.sampled_from(KEYS[:8])
bodies = st.builds(lambda size, seed: hashlib.sha256(bytes([seed])).digest() * (size // 32 + 1), st.sampled_from(SIZES),
                   st.integers(0, 9))  # fmt: skip
metadata = st.dictionaries(st.sampled_from(["a", "b-c"]), st.sampled_from(["1", "x y", "Z;=,"]), max_size=2)
tags = st.dictionaries(st.sampled_from(["k", "l:m", "ü"]), st.sampled_from(["", "1", "x +-=._:/@"]), max_size=2)
conditions = st.sampled_from(["", "", "", "match", "match other", "none", "none other"])
