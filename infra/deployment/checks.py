"""What would stop a deployment, found before it starts: all of it at once, each with what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from boto3.session import Session
from botocore.exceptions import BotoCoreError, ClientError

from include.aws_regions import NoImage
from include.deploy.following import find_stack
from include.garmin.connect.tokens import CLIENTS, TokenStore, login_command
from infra.deployment.findings import Finding, Place, Verdict
from infra.deployment.mwaa import environment
from infra.deployment.quotas import check_airflow_quotas, check_concurrency, check_instances
from infra.package import NoPackage, build_package, read_package

TOKENS_NEAR_END = timedelta(days=30)
"""Garmin's tokens last about a year; a login takes a person."""
ACCESS = "an administrator of the account runs `python -m infra.deploy access`"
NO_SUCH_BUCKET, SOMEONE_ELSES = ("404", "NoSuchBucket"), ("403", "AccessDenied")

Check = Callable[[Place], Iterable[Finding]]


def run_checks(place: Place) -> list[Finding]:
    """Look at everything; what local AWS or an unknown caller gets no answer to is named and skipped."""
    found = list(check_identity(place))
    is_known = all(finding.verdict != "blocker" for finding in found)
    for name, check in CHECKS_WITHOUT_AWS.items():
        found += _answers(name, check, place)
    for name, check in CHECKS.items():
        unknown = Finding(name, "skipped", "AWS answers only a known caller of the right account and region")
        found += _answers(name, check, place) if is_known else [unknown]
    for name, check in CHECKS_ON_AWS.items():
        unknown = Finding(
            name, "skipped", "local AWS has no such thing" if place.is_local else "AWS answers only a known caller"
        )
        found += _answers(name, check, place) if is_known and not place.is_local else [unknown]
    return found


def _answers(name: str, check: Check, place: Place) -> list[Finding]:
    """The findings of one check; a question that AWS does not answer is a finding too."""
    found: list[Finding] = []
    try:
        for finding in check(place):
            found.append(finding)  # noqa: PERF402 - what was found before a question was refused counts
    except ClientError as error:
        found.append(Finding.not_answered(name, error))
    except BotoCoreError as error:
        found.append(Finding(name, "warning", f"not known: {error}"))
    return found


def check_identity(place: Place) -> Iterator[Finding]:
    """Whose credentials these are, and whether they are of the account and region of the environment."""
    wanted, sts = place.settings.account_id, place.clients("sts")
    try:
        caller = sts.get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        remedy = "sign in as with every AWS tool (aws sso login, AWS_PROFILE, or keys in the environment)"
        yield Finding("identity", "blocker", f"AWS does not know who asks ({error}): {remedy}")
        return
    if caller["Account"] != wanted:
        remedy = "use a profile of that account, or correct account_id of the environment"
        yield Finding(
            "identity", "blocker", f"the credentials are of account {caller['Account']}, not {wanted}: {remedy}"
        )
        return
    yield Finding("identity", "ok", f"{caller['Arn']}")
    region = place.settings.region
    if sts.meta.region_name != region:
        remedy = f"set AWS_REGION={region} or leave it out"
        yield Finding("region", "blocker", f"requests go to {sts.meta.region_name}, names are of {region}: {remedy}")
    else:
        yield Finding("region", "ok", region)


def check_roles(place: Place) -> Iterator[Finding]:
    """Whether the roles are there, with what this version needs, and whether the caller deploys under them."""
    settings = place.settings
    stack = find_stack(place.clients("cloudformation"), settings.stack("access"))
    if stack is None:
        yield Finding("roles", "warning", f"there is no stack {settings.stack('access')} yet: {ACCESS}, or deploys")
        return
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    if lacking := sorted({"BoundaryArn", "StacksRoleArn", "StacksAirflowArn"} - outputs.keys()):
        yield Finding(
            "roles", "blocker", f"stack {settings.stack('access')} is of an older version (no {lacking[0]}): {ACCESS}"
        )
        return
    yield Finding("roles", "ok", f"stack {settings.stack('access')} is {stack['StackStatus']}")
    deployer = outputs["DeployerRoleArn"]
    sts = place.clients("sts")
    if f"assumed-role/{deployer.rsplit('/', 1)[1]}/" in sts.get_caller_identity()["Arn"]:
        yield Finding("deployer", "ok", "this is the deployer's role")
        return
    try:
        sts.assume_role(RoleArn=deployer, RoleSessionName="check", DurationSeconds=900)
    except ClientError:
        yield Finding(
            "deployer",
            "warning",
            f"these credentials may not act as {deployer}, so a deployment needs all rights by itself, as an "
            "administrator has them; else let them assume that role",
        )
    else:
        yield Finding("deployer", "ok", f"these credentials may act as {deployer}")


def check_image(place: Place) -> Iterator[Finding]:
    """Whether SageMaker has the XGBoost image in the region."""
    try:
        yield Finding("image", "ok", place.settings.require_image())
    except NoImage as error:
        yield Finding("image", "blocker", str(error))


def check_buckets(place: Place) -> Iterator[Finding]:
    """Whether the buckets' names are free or ours: anybody may own a name."""
    own = place.settings.bucket
    airflow = place.parameter("mwaa", "BucketName", None, own) if place.deploys_mwaa else own
    yield Finding(f"bucket {own}", *_judge_own(place, own))
    if airflow != own:
        yield Finding(f"bucket {airflow}", *_judge_other(place, airflow))


def _judge_own(place: Place, bucket: str) -> tuple[Verdict, str]:
    """The bucket that the stack `data` makes."""
    match _owner(place, bucket), place.stack_exists("data"):
        case "ours", True:
            return "ok", "it is ours"
        case "ours", False:
            remedy = "empty and delete it, or choose another project name"
            return "blocker", f"it is of this account and of no stack, so CloudFormation will not make it: {remedy}"
        case "nobody's", True:
            return "blocker", "it was deleted by hand, and the stack data still names it: delete that stack"
        case "nobody's", False:
            return "ok", "the name is free"
    return "blocker", "it is someone else's, or closed to these credentials: choose another project name"


def _judge_other(place: Place, bucket: str) -> tuple[Verdict, str]:
    """A bucket that Airflow's files go to, and that no stack of the project makes."""
    owner = _owner(place, bucket)
    if owner == "nobody's":
        return "blocker", "there is no such bucket: make it, with versions, or leave BucketName out"
    if owner == "someone else's":
        return "blocker", "it is someone else's, or closed to these credentials: name one of this account"
    if place.clients("s3").get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        return "blocker", "MWAA reads only from a bucket that keeps versions: turn versioning on"
    return "ok", "it is ours and keeps versions"


def _owner(place: Place, bucket: str) -> str:
    try:
        place.clients("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NO_SUCH_BUCKET:
            return "nobody's"
        if code in SOMEONE_ELSES:
            return "someone else's"
        raise
    return "ours"


def check_tokens(place: Place) -> Iterator[Finding]:
    """Whether the athletes' Garmin tokens are there and last; Garmin itself is not asked."""
    client = place.settings.source.partition(":")[0]
    if client not in CLIENTS:
        yield Finding("Garmin tokens", "ok", f"source {client} needs none")
        return
    store = TokenStore(place.clients("ssm"), place.settings.project)
    athletes = store.athletes(client)
    if not athletes:
        yield Finding(
            "Garmin tokens", "warning", f"no athlete has any: `{login_command('ID')}` for each, before the first run"
        )
    for athlete in athletes:
        good_until = store.load(athlete).good_until
        name = f"Garmin tokens of {athlete}"
        if good_until is None:
            yield Finding(name, "ok", "there, and they do not say until when they are good")
        elif good_until < place.now:
            yield Finding(name, "warning", f"ended on {good_until:%Y-%m-%d}: `{login_command(athlete)}`")
        elif good_until < place.now + TOKENS_NEAR_END:
            yield Finding(name, "warning", f"end on {good_until:%Y-%m-%d}: `{login_command(athlete)}`")
        else:
            yield Finding(name, "ok", f"good until {good_until:%Y-%m-%d}")


def check_package(place: Place) -> Iterator[Finding]:
    """Whether the package is whole and of this checkout."""
    try:
        packaged = read_package(place.package)
    except NoPackage as error:
        yield Finding("package", "blocker", str(error))
        return
    if packaged.files == build_package().files:
        yield Finding("package", "ok", f"version {packaged.version} of this checkout")
    else:
        yield Finding("package", "blocker", f"{place.package} is not of this checkout any more: make package")


def check_airflow(place: Place) -> Iterator[Finding]:
    """Whether MWAA is in the region, and what the environment that may be there allows."""
    if not place.deploys_mwaa:
        yield Finding("Amazon MWAA", "skipped", "this environment does not run Airflow there")
        return
    region = place.settings.region
    if region not in Session().get_available_regions("mwaa", partition_name=place.settings.partition):
        yield Finding(
            "Amazon MWAA", "blocker", f"the installed SDK knows no Amazon MWAA in {region}: choose another region"
        )
        return
    wanted = place.parameter("mwaa", "AirflowVersion", None, "3.2.1")
    found = environment(place.clients("mwaa"), place.settings.project)
    if found is None:
        sentence = f"in {region}; whether Airflow {wanted} is offered there, no request says: MWAA does when it is made"
        yield Finding("Amazon MWAA", "ok", sentence)
    elif _numbers(found.airflow_version) > _numbers(wanted):
        remedy = "MWAA never downgrades: name that version (stacks.mwaa, AirflowVersion), or stop and start"
        yield Finding("Amazon MWAA", "blocker", f"{found.sentence}, and {wanted} is wanted: {remedy}")
    elif found.is_available:
        yield Finding("Amazon MWAA", "ok", found.sentence)
    elif found.is_busy:
        yield Finding("Amazon MWAA", "warning", f"{found.sentence}: the deployment waits for it")
    else:
        yield Finding("Amazon MWAA", "warning", found.sentence)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


CHECKS_WITHOUT_AWS: dict[str, Check] = {"image": check_image, "package": check_package}
"""What this machine knows by itself, by a name for the case that it is not answered."""
CHECKS: dict[str, Check] = {"roles": check_roles, "buckets": check_buckets, "Garmin tokens": check_tokens}
"""What AWS and local AWS both answer."""
CHECKS_ON_AWS: dict[str, Check] = {
    "quotas of SageMaker": check_instances,
    "quota: Lambda concurrency": check_concurrency,
    "Amazon MWAA": check_airflow,
    "quotas of Amazon MWAA": check_airflow_quotas,
}
