"""One module per verb, named like it; `weyr.cli.program` loads the one that is called."""
