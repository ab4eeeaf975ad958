"""The process of a function: warmed once, then forked for each instance.

Every import here is part of each cold start: what not every function needs is imported where it is used.
"""
