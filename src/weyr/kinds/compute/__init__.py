"""Kinds of the compute layer, one folder each."""
