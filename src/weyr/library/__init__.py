"""Weyr from Python: `import weyr; weyr.model("digits@production").deploy(endpoint_name="my-model")`."""
