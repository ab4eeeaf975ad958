"""Every kind of resource, one folder each, grouped by layer. Pure: nothing here performs I/O."""
