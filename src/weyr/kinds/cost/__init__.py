"""Kinds of the cost layer, one folder each."""
