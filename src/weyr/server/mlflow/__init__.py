"""MLflow's REST protocol, served natively: what its unmodified client calls, on our store and buckets."""

from weyr.server.mlflow.routes import mlflow_routes

__all__ = ["mlflow_routes"]
