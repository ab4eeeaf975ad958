"""The model server: one registered model behind a Unix socket, spoken to by the Open Inference Protocol v2."""
