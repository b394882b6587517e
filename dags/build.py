"""model_build: features -> dataset version -> trained and evaluated model -> registered, approved when fit to serve."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from airflow.sdk import Metadata, dag, task

from dags.assets import APPROVED_MODEL, ATHLETE_FEATURES
from dags.policy import AWS_ARGS, DEFAULT_ARGS, JOB_ARGS, TAGS
from include.settings import settings
from plugins.operators.denied import fails_at_once
from plugins.operators.job_operators import ProcessingJobOperator, TrainingJobOperator
from plugins.operators.registry import SERVING_ENVIRONMENT, RegisterModelVersionOperator
from plugins.operators.sagemaker_jobs import JobPlatform, processing_job, training_job

BUILD_EVERY = timedelta(days=7)
SHORT_LAG_S = 60
OFFLINE_STORE_POKES = 15
"""So often at most the wait for the offline store looks at the clock; each look starts a process."""
BUCKET = f"s3://{settings().bucket}"
PLATFORM = JobPlatform.of_settings(settings())
PLAN = "{{ ti.xcom_pull('plan')['%s'] }}"
VERSION, RELEASE = PLAN % "version", PLAN % "release"
CODE = f"{BUCKET}/{RELEASE}jobs/"
DATASET = f"{BUCKET}/datasets/version={VERSION}/"
REPORT = f"{BUCKET}/reports/version={VERSION}/"
MODEL = f"{BUCKET}/models/version={VERSION}/"
GATE = "{{ ti.xcom_pull('gate')['%s'] }}"


def _job_name(step: str) -> str:
    """Unique for every try; a build has the version of its run."""
    return f"{settings().project}-{step}-{VERSION}-{{{{ ti.try_number }}}}"


@task.short_circuit(ignore_downstream_trigger_rules=True)
@fails_at_once
def plan(dag_run: Any = None, triggering_asset_events: Any = None) -> dict[str, str] | None:
    """Version and sources of this build; None (and nothing more is done) when the last one is younger than a week."""
    import json

    from include import lake
    from include.features.as_of import dataset_moment, read_last_put
    from plugins.operators.aws import client
    from plugins.operators.packages import was_built_since

    settings().require_image()
    sagemaker = client("sagemaker")
    if dag_run.run_type != "manual" and was_built_since(sagemaker, settings(), dag_run.run_after - BUILD_EVERY):
        return None
    s3, bucket, feature_group = client("s3"), settings().bucket, settings().feature_group
    released = json.loads(s3.get_object(Bucket=bucket, Key=lake.RELEASE_KEY)["Body"].read())
    group = sagemaker.describe_feature_group(FeatureGroupName=feature_group)
    events = [event for found in (triggering_asset_events or {}).values() for event in found]
    announced = [event.extra["put_at"] for event in events if "put_at" in event.extra]
    last_put = read_last_put(s3, bucket, feature_group)
    return {
        "version": lake.version_of(dag_run.run_after.astimezone(UTC)),
        "as_of": dataset_moment(announced, last_put, dag_run.run_after).isoformat(),
        "release": lake.code_prefix(released["version"]),
        "git_commit": released.get("git_commit") or "unknown",
        "offline_uri": group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].rstrip("/") + "/",
    }


@task.sensor(
    # To start the task anew takes longer than the few seconds that local AWS's offline store lags.
    mode="reschedule" if settings().offline_store_lag_s > SHORT_LAG_S else "poke",
    poke_interval=max(settings().job_poll_s, settings().offline_store_lag_s / OFFLINE_STORE_POKES),
    timeout=settings().offline_store_lag_s + 3600,
)
def wait_for_offline_store(planned: Any) -> bool:
    """Feature Store writes offline with a delay: wait until it has all that was put by the dataset's moment."""
    from include.features.as_of import is_complete

    return is_complete(datetime.fromisoformat(planned["as_of"]), settings().offline_store_lag_s, datetime.now(UTC))


@task
@fails_at_once
def evaluation_request(trained: Any, planned: Any, ti: Any = None) -> dict[str, Any]:
    """The evaluation job: the new model, and the one that serves now where there is one."""
    from plugins.operators.aws import client
    from plugins.operators.packages import champion_model

    bucket, version = f"s3://{settings().bucket}", planned["version"]
    inputs = {
        "code": f"{bucket}/{planned['release']}jobs/",
        "model": trained["Training"]["ModelArtifacts"]["S3ModelArtifacts"],
        "dataset": f"{bucket}/datasets/version={version}/",
    }
    if champion := champion_model(client("sagemaker"), settings()):
        inputs["champion"] = champion
    return processing_job(
        f"{settings().project}-evaluate-{version}-{ti.try_number}",
        "include.jobs.evaluate",
        PLATFORM,
        arguments=[],
        inputs=inputs,
        outputs={
            "report": f"{bucket}/reports/version={version}/",
            "model": f"{bucket}/models/version={version}/evaluated/",
        },
    )


@task
@fails_at_once
def gate(planned: Any) -> dict[str, Any]:
    """What the evaluation says: fit to serve or not, why, and which model answers at which range."""
    import json
    import logging

    from include import lake
    from plugins.operators.aws import client

    key = f"{lake.report_prefix(planned['version'])}evaluation.json"
    found = json.loads(client("s3").get_object(Bucket=settings().bucket, Key=key)["Body"].read())["gate"]
    logging.getLogger(__name__).info("approved: %s; %s", found["approved"], "; ".join(found["reasons"]))
    # The registry takes letters, digits and a few signs: no JSON.
    served_by = " ".join(f"{bucket}={model}" for bucket, model in found["served_by"].items())
    return {"approved": found["approved"], "reasons": "; ".join(found["reasons"])[:1000], "served_by": served_by}


@task(outlets=[APPROVED_MODEL])
@fails_at_once
def approve(decided: Any, arn: Any) -> Any:
    """Approve the package when the gate says so; else it stays PendingManualApproval, for a person to decide."""
    from plugins.operators.airflow_sdk import AirflowSkipException
    from plugins.operators.aws import client
    from plugins.operators.packages import decide_package

    approved = decided["approved"]
    description = decide_package(client("sagemaker"), arn, approved=approved, reasons=decided["reasons"])
    if not approved:
        raise AirflowSkipException(f"{arn} stays PendingManualApproval: {description}")
    yield Metadata(APPROVED_MODEL, extra={"model_package_arn": arn})


@dag(
    schedule=[ATHLETE_FEATURES],
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=[*TAGS, "model"],
)
def model_build() -> None:
    """
    ### What it does
    After `garmin_ingest`, at most weekly (by hand, and after a change of the features: always): a new dataset version,
    trained, evaluated, registered.
    `approve` approves the package when the gate found every range of days fit to serve; that starts `model_deploy`.

    ### When it fails
    * `preprocess`, `train`, `evaluate`: the message is the reason that the job left; its log is in CloudWatch,
      `/aws/sagemaker/ProcessingJobs` and `/aws/sagemaker/TrainingJobs`, under the job's name.
    * `wait_for_offline_store` waits up to 15 minutes after the last features run, also by hand: that long Feature
      Store may take to write what was put. The dataset holds what was put by then (`as_of` in its manifest).
    * `approve` skipped: no failure. The reasons are in its log, in the package's approval description and in the
      report: the link "Forecast report" of the task `register`, and `report` in the package's metadata. A person may
      approve the package in SageMaker; then run `model_deploy`.
    * Clear a task to try it again: each try has a job of its own, and writes the same dataset version.
    """
    planned = plan()
    caught_up = wait_for_offline_store(planned)
    preprocess = ProcessingJobOperator(
        task_id="preprocess",
        config=processing_job(
            _job_name("preprocess"),
            "include.jobs.preprocess",
            replace(PLATFORM, instance_count=settings().preprocess_instances),
            arguments=["--as-of", PLAN % "as_of", "--dataset-version", VERSION],
            inputs={"code": CODE, "offline": PLAN % "offline_uri"},
            outputs={"dataset": DATASET},
        ),
        **JOB_ARGS,
    )
    train = TrainingJobOperator(
        task_id="train",
        print_log=False,
        config=training_job(
            _job_name("train"),
            "include.jobs.train",
            PLATFORM,
            channels={"code": CODE, "train": f"{DATASET}train/", "calibration": f"{DATASET}calibration/"},
            output_uri=MODEL,
            metrics={name: rf"validation:{name}=([0-9.]+)" for name in ("crps", "persistence_crps")},
            hyperparameters={"dataset_version": VERSION, "model_version": VERSION},
        ),
        **JOB_ARGS,
    )
    evaluate = ProcessingJobOperator(
        task_id="evaluate",
        config=cast("dict[str, Any]", evaluation_request(train.output, planned)),
        **JOB_ARGS,
    )
    decided = gate(planned)
    register = RegisterModelVersionOperator(
        task_id="register",
        image_uri=settings().xgboost_image,
        model_url=f"{MODEL}evaluated/model.tar.gz",
        package_group_name=settings().model_package_group,
        package_desc=f"VO2max 1 to 42 days ahead, {VERSION}",
        report_uri=f"{REPORT}report.html",
        extras={
            "InferenceSpecification": {
                "Containers": [
                    {
                        "Image": settings().xgboost_image,
                        "ModelDataUrl": f"{MODEL}evaluated/model.tar.gz",
                        "Environment": SERVING_ENVIRONMENT,
                    }
                ],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            "ModelMetrics": {
                "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": f"{REPORT}evaluation.json"}}
            },
            "CustomerMetadataProperties": {
                "dataset_version": VERSION,
                "model_version": VERSION,
                "feature_group": settings().feature_group,
                "git_commit": PLAN % "git_commit",
                "served_by": GATE % "served_by",
                "report": f"{REPORT}report.html",
            },
        },
        **AWS_ARGS,
    )
    caught_up >> preprocess >> train
    evaluate >> decided >> register
    approve(decided, register.output)


model_build()
