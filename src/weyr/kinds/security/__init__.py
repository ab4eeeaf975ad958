"""Kinds of the security layer, one folder each."""
