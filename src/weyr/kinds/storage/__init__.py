"""Kinds of the storage layer, one folder each."""
