"""What a model may be saved as: one module for each format, and none that guesses."""
