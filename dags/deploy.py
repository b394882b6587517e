"""model_deploy: an approved package -> serving stack -> endpoint -> a forecast over REST, or back to the last good."""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, dag, task

from dags.assets import APPROVED_MODEL
from dags.policy import AWS_ARGS, DEFAULT_ARGS, TAGS
from include.settings import settings
from plugins.operators.airflow_sdk import TriggerRule
from plugins.operators.denied import fails_at_once
from plugins.operators.events import PutEventsOperator
from plugins.operators.stack import StackDeployOperator

ENDPOINT_TIMEOUT_S = 3600
"""SageMaker gives an endpoint up after some 25 minutes, and a stack that goes back waits for the old one as long."""


@task
@fails_at_once
def choose(params: Any = None) -> Any:
    """The package to serve, and the last good one to go back to (None where there is none)."""
    from plugins.operators.aws import client
    from plugins.operators.packages import choose_packages

    chosen = choose_packages(client("sagemaker"), client("ssm"), settings(), params["package"])
    return {"package": chosen.package, "last_good": chosen.last_good}


@task.sensor(mode="reschedule", poke_interval=settings().job_poll_s, timeout=ENDPOINT_TIMEOUT_S)
@fails_at_once
def wait_for_endpoint(chosen: Any, dag_run: Any = None) -> bool:
    """Until the endpoint stack is complete with the package; its failure is told at once."""
    from plugins.operators.aws import client
    from plugins.operators.packages import endpoint_serves

    return endpoint_serves(client("cloudformation"), settings(), chosen["package"], dag_run.start_date)


@task(retries=2)
@fails_at_once
def smoke_test(outputs: Any) -> str:
    """A forecast over HTTP with the API key, as a user gets it; says whose."""
    from plugins.operators.aws import client
    from plugins.operators.smoke import first_forecast

    return first_forecast(client("s3"), client("apigateway"), settings(), outputs)


@task(trigger_rule=TriggerRule.ONE_FAILED, retries=2)
@fails_at_once
def roll_back(chosen: Any) -> str:
    """Reject the package, so that nothing starts it again, and serve the last good one."""
    from plugins.operators.aws import client
    from plugins.operators.packages import reject_and_restore

    return reject_and_restore(client("sagemaker"), client("events"), settings(), chosen["package"], chosen["last_good"])


@dag(
    schedule=[APPROVED_MODEL],
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "model", "serving"],
    params={
        "package": Param(
            None, type=["null", "string"], description="Version or ARN of an approved package; none for the newest"
        )
    },
)
def model_deploy() -> None:
    """
    ### What it does
    When a package was approved, or by hand with the version of one: deploys the serving stack of the current release,
    asks EventBridge to start the endpoint, waits for it, and asks the API for a forecast as a user would.

    ### When it fails
    * `serving_stack`: the message names the resource and the reason; CloudFormation went back by itself.
    * `wait_for_endpoint`: the reason is in the events of the endpoint stack; the start Lambda's log is
      `/aws/lambda/{project}-start`; events that it could not work off lie in the queue `{project}-undelivered`.
    * `smoke_test`: the answer is in its log; the API's own log is `/aws/lambda/{project}-api`. It waits up to eight
      minutes for an endpoint that is waking before it judges the package.
    * `roll_back` green: the package was rejected and the last good one is served. To try the package again, approve it
      in SageMaker and run this DAG with its version.
    """
    chosen = choose()
    serving = StackDeployOperator(task_id="serving_stack", stack="serving")
    start = PutEventsOperator(
        task_id="start_endpoint",
        entries=[
            {
                "Source": settings().project,
                "DetailType": "Endpoint Start Requested",
                "Detail": "{\"model_package_arn\": \"{{ ti.xcom_pull('choose')['package'] }}\"}",
            }
        ],
        **AWS_ARGS,
    )
    started = wait_for_endpoint(chosen)
    tested = smoke_test(serving.output)
    chosen >> serving >> start >> started >> tested
    [started, tested] >> roll_back(chosen)
    tested >> EmptyOperator(task_id="served")


model_deploy()
