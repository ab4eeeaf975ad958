"""The parts of an endpoint's spec, each in a file of its own."""
