"""Every Asset, one place: the DAGs are chained on these alone."""

from airflow.sdk import Asset

ATHLETE_FEATURES = Asset("athlete_features")
"""Feature rows were put. Extra: `put_at` (ISO, UTC), the moment of the last put."""

APPROVED_MODEL = Asset("approved_model")
"""A model package was approved. Extra: `model_package_arn`."""
