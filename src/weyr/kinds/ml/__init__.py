"""Kinds of the ml layer, one folder each."""
