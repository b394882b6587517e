"""Puts events on EventBridge's bus."""

from airflow.providers.amazon.aws.operators.eventbridge import EventBridgePutEventsOperator

from plugins.operators.denied import FailsAtOnce


class PutEventsOperator(FailsAtOnce, EventBridgePutEventsOperator):
    """Airflow's operator, which is not tried again where IAM denies the call."""
