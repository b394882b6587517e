"""What each operation takes: which IAM action on which resource, under which condition keys.

Source: AWS's Service Authorization Reference. An operation that is not listed takes the action of its own name on `*`,
so a role whose policy names resources is refused it: what is missing here is seen, never let through.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import unquote

from infra.localaws.iam.conditions import Context
from infra.localaws.iam.request import Operation

NO_CONTEXT: Context = {}


@dataclass(frozen=True)
class Need:
    """One action on one resource that the caller must be allowed."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class PassedRole:
    """A role that an operation hands to a service, which then acts under it."""

    arn: str
    service: str


Table = Mapping[str, tuple[str, ...]]

_SAGEMAKER: Table = {
    **{
        f"{verb}{noun}": (f"{resource}/{{{noun}Name}}",)
        for noun, resource in (
            ("TrainingJob", "training-job"),
            ("ProcessingJob", "processing-job"),
            ("Model", "model"),
            ("EndpointConfig", "endpoint-config"),
            ("Endpoint", "endpoint"),
            ("FeatureGroup", "feature-group"),
            ("ModelPackageGroup", "model-package-group"),
            ("ModelPackage", "model-package"),
        )
        for verb in ("Create", "Describe", "Delete", "Stop", "Update")
    },
    "CreateModelPackage": ("model-package/{ModelPackageGroupName}/*",),
    "UpdateModelPackage": ("model-package/{ModelPackageArn}",),
    "ListModelPackages": ("model-package/{ModelPackageGroupName}/*",),
    "CreateEndpoint": ("endpoint/{EndpointName}", "endpoint-config/{EndpointConfigName}"),
    "UpdateEndpoint": ("endpoint/{EndpointName}", "endpoint-config/{EndpointConfigName}"),
    "InvokeEndpoint": ("endpoint/{EndpointName}",),
    "PutRecord": ("feature-group/{FeatureGroupName}",),
    "GetRecord": ("feature-group/{FeatureGroupName}",),
    "DeleteRecord": ("feature-group/{FeatureGroupName}",),
    "AddTags": ("{ResourceArn}",),
    "ListTags": ("{ResourceArn}",),
    "DeleteTags": ("{ResourceArn}",),
}
_CLOUDFORMATION = frozenset(
    ("CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "DescribeStackEvents", "DescribeStackResources",
     "DescribeStackResource", "ListStackResources", "GetTemplate", "GetTemplateSummary", "CreateChangeSet",
     "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "ContinueUpdateRollback", "CancelUpdateStack")
)  # fmt: skip
_LAMBDA_ACTIONS = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction"}
_S3_ACTIONS: Mapping[str, str] = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
}
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
"""What is no role's ARN is refused by the service itself, as a parameter of the wrong form."""
_BUCKET_OPERATIONS = re.compile(
    r"(Create|Delete|Head)Bucket|ListObject.*|ListMultipartUploads|(Get|Put|Delete)(Bucket\w+|PublicAccessBlock)"
)
_DELETED_KEY = re.compile(rb"<Object>.*?</Object>", re.DOTALL)
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def needs(operation: Operation, account: str) -> list[Need]:
    """Everything that an operation takes, the roles that it passes excepted."""
    finder = _FINDERS.get(operation.service)
    found = list(finder(operation, account)) if finder else []
    found = found or [Need(f"{operation.service}:{operation.name}")]
    return found + _tagging(operation, found[0].resource)


def passed_roles(operation: Operation) -> list[PassedRole]:
    """The roles that an operation hands to a service; each takes `iam:PassRole`, and must trust that service."""
    fields, service = _PASSED.get((operation.service, operation.name), ((), ""))
    arns = (operation.parameters.get(name) for name in fields)
    return [PassedRole(str(arn), service) for arn in arns if arn and _ROLE_ARN.fullmatch(str(arn))]


_PASSED: Mapping[tuple[str, str], tuple[tuple[str, ...], str]] = {
    **{
        ("sagemaker", name): ((parameter,), "sagemaker.amazonaws.com")
        for name, parameter in (
            ("CreateTrainingJob", "RoleArn"),
            ("CreateProcessingJob", "RoleArn"),
            ("CreateFeatureGroup", "RoleArn"),
            ("CreateModel", "ExecutionRoleArn"),
        )
    },
    **{
        ("cloudformation", name): (("RoleARN",), "cloudformation.amazonaws.com")
        for name in ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ContinueUpdateRollback")
    },
    ("lambda", "CreateFunction"): (("Role",), "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): (("Role",), "lambda.amazonaws.com"),
}


_TAGGED: Mapping[tuple[str, str], str] = {
    ("cloudformation", "CreateChangeSet"): "TagResource",
    ("cloudformation", "CreateStack"): "TagResource",
    ("cloudwatch", "PutMetricAlarm"): "TagResource",
    ("events", "PutRule"): "TagResource",
    ("iam", "CreateRole"): "TagRole",
    ("lambda", "CreateFunction"): "TagResource",
    ("logs", "CreateLogGroup"): "TagResource",
    ("sns", "CreateTopic"): "TagResource",
    ("sqs", "CreateQueue"): "TagQueue",
    ("ssm", "PutParameter"): "AddTagsToResource",
    **{("sagemaker", f"Create{noun}"): "AddTags" for noun in ("Endpoint", "EndpointConfig", "FeatureGroup", "Model",
       "ModelPackage", "ModelPackageGroup", "ProcessingJob", "TrainingJob")},
}  # fmt: skip
"""What an operation takes besides its own action where it gives tags to what it makes."""


def _tagging(operation: Operation, resource: str) -> list[Need]:
    action = _TAGGED.get((operation.service, operation.name))
    tags = (name for name in operation.parameters if name.lower().startswith(("tags", "tag.")))
    is_tagged = action is not None and any(operation.parameters[name] for name in tags)
    return [Need(f"{operation.service}:{action}", resource)] if is_tagged else []


def _sagemaker(operation: Operation, account: str) -> Iterator[Need]:
    prefix = f"arn:aws:sagemaker:{operation.region}:{account}:"
    for template in _SAGEMAKER.get(operation.name, ()):
        yield Need(f"sagemaker:{operation.name}", _filled(prefix, template, operation.parameters))


def _filled(prefix: str, template: str, parameters: Mapping[str, Any]) -> str:
    """The ARN of a template. Where a parameter may be a name or an ARN, an ARN stands for itself."""
    name = template[template.index("{") + 1 : template.index("}")]
    value = str(parameters.get(name) or "")
    if value.startswith("arn:") and not template.endswith("*"):
        return value
    return prefix + template.replace(f"{{{name}}}", value.rpartition("/")[2] if value.startswith("arn:") else value)


def _cloudformation(operation: Operation, account: str) -> Iterator[Need]:
    if operation.name not in _CLOUDFORMATION:
        return
    name = str(operation.parameters.get("StackName") or "")
    context = {}
    if role := operation.parameters.get("RoleARN"):
        context["cloudformation:rolearn"] = str(role)
    if change_set := operation.parameters.get("ChangeSetName"):
        context["cloudformation:changesetname"] = str(change_set)
    resource = name if name.startswith("arn:") else _stack_arn(operation.region, account, name)
    yield Need(f"cloudformation:{operation.name}", resource if name else "*", context)


def _stack_arn(region: str, account: str, name: str) -> str:
    return f"arn:aws:cloudformation:{region}:{account}:stack/{name}/*"


def _s3(operation: Operation, _: str) -> Iterator[Need]:
    name, parameters = operation.name, operation.parameters
    bucket, key = parameters["Bucket"], parameters["Key"]
    action = f"s3:{_S3_ACTIONS.get(name, name)}"
    if name == "DeleteObjects":
        yield from _deleted_objects(bucket, parameters["Body"])
    elif name == "ListBuckets" or not bucket:
        yield Need(action)
    elif _BUCKET_OPERATIONS.fullmatch(name):
        context = {f"s3:{part}": parameters[part] for part in ("prefix", "delimiter") if part in parameters}
        if action == "s3:ListBucket":
            context.setdefault("s3:prefix", "")
        yield Need(action, f"arn:aws:s3:::{bucket}", context)
    else:
        versioned = bool(parameters.get("versionId")) and name in ("GetObject", "HeadObject", "DeleteObject")
        yield Need(action + ("Version" if versioned else ""), f"arn:aws:s3:::{bucket}/{key}")
        if source := parameters.get("CopySource"):
            yield Need("s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/').partition('?')[0]}")


def _deleted_objects(bucket: str, body: bytes) -> Iterator[Need]:
    for found in _DELETED_KEY.findall(body):
        key = _KEY.search(found)
        action = "s3:DeleteObjectVersion" if b"<VersionId>" in found else "s3:DeleteObject"
        name = unescape(key[1].decode()) if key else ""
        yield Need(action, f"arn:aws:s3:::{bucket}/{name}")


def _apigateway(operation: Operation, _: str) -> Iterator[Need]:
    yield Need(f"apigateway:{operation.method}", f"arn:aws:apigateway:{operation.region}::{operation.path}")


def _lambda(operation: Operation, account: str) -> Iterator[Need]:
    name = unquote(str(operation.parameters.get("FunctionName") or ""))
    if not name:
        return
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{operation.region}:{account}:function:{name}"
    yield Need(f"lambda:{_LAMBDA_ACTIONS.get(operation.name, operation.name)}", arn)
    code = operation.parameters.get("Code") or operation.parameters
    if operation.name in ("CreateFunction", "UpdateFunctionCode") and code.get("S3Bucket"):
        yield Need("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code.get('S3Key', '')}")


def _events(operation: Operation, account: str) -> Iterator[Need]:
    prefix, parameters = f"arn:aws:events:{operation.region}:{account}:", operation.parameters
    if operation.name == "PutEvents":
        for entry in parameters.get("Entries") or []:
            context = {"events:source": str(entry.get("Source")), "events:detail-type": str(entry.get("DetailType"))}
            bus = str(entry.get("EventBusName") or "default").rpartition("/")[2]
            yield Need("events:PutEvents", f"{prefix}event-bus/{bus}", context)
        return
    rule = parameters.get("Rule") or parameters.get("Name")
    if rule and operation.name.endswith(("Rule", "Targets")):
        yield Need(f"events:{operation.name}", f"{prefix}rule/{rule}")
    elif arn := parameters.get("ResourceARN"):
        yield Need(f"events:{operation.name}", str(arn))


def _ssm(operation: Operation, account: str) -> Iterator[Need]:
    prefix, parameters = f"arn:aws:ssm:{operation.region}:{account}:parameter/", operation.parameters
    names = parameters.get("Names") or [
        parameters.get("Name") or parameters.get("Path") or parameters.get("ResourceId")
    ]
    for name in names if operation.name != "DescribeParameters" else []:
        plain = str(name or "").lstrip("/")
        version = plain.partition(":")[0]
        yield Need(f"ssm:{operation.name}", prefix + version)


def _logs(operation: Operation, account: str) -> Iterator[Need]:
    group = operation.parameters.get("logGroupName")
    if arn := operation.parameters.get("resourceArn"):
        yield Need(f"logs:{operation.name}", str(arn))
    elif group:
        arn = f"arn:aws:logs:{operation.region}:{account}:log-group:{group}"
        stream = operation.parameters.get("logStreamName")
        in_stream = operation.name in ("CreateLogStream", "PutLogEvents", "GetLogEvents")
        yield Need(f"logs:{operation.name}", f"{arn}:log-stream:{stream}" if in_stream and stream else arn)


def _iam(operation: Operation, account: str) -> Iterator[Need]:
    parameters = operation.parameters
    context = {}
    if boundary := parameters.get("PermissionsBoundary"):
        context["iam:permissionsboundary"] = str(boundary)
    if policy := parameters.get("PolicyArn"):
        context["iam:policyarn"] = str(policy)
    path = str(parameters.get("Path") or "/")
    if role := parameters.get("RoleName"):
        yield Need(f"iam:{operation.name}", f"arn:aws:iam::{account}:role{path}{role}", context)
    elif parameters.get("PolicyName"):
        yield Need(f"iam:{operation.name}", f"arn:aws:iam::{account}:policy{path}{parameters['PolicyName']}")
    elif policy:
        yield Need(f"iam:{operation.name}", str(policy))


def _sts(operation: Operation, _: str) -> Iterator[Need]:
    if operation.name == "AssumeRole":
        yield Need("sts:AssumeRole", str(operation.parameters.get("RoleArn") or "*"))


def _sqs(operation: Operation, account: str) -> Iterator[Need]:
    name = operation.parameters.get("QueueName") or str(operation.parameters.get("QueueUrl") or "").rpartition("/")[2]
    if name:
        yield Need(f"sqs:{operation.name}", f"arn:aws:sqs:{operation.region}:{account}:{name}")


def _sns(operation: Operation, account: str) -> Iterator[Need]:
    parameters = operation.parameters
    if arn := parameters.get("TopicArn") or parameters.get("ResourceArn") or parameters.get("SubscriptionArn"):
        yield Need(f"sns:{operation.name}", str(arn))
    elif name := parameters.get("Name"):
        yield Need(f"sns:{operation.name}", f"arn:aws:sns:{operation.region}:{account}:{name}")


def _cloudwatch(operation: Operation, account: str) -> Iterator[Need]:
    parameters = operation.parameters
    names = parameters.get("AlarmNames") or ([parameters["AlarmName"]] if "AlarmName" in parameters else [])
    if operation.name == "DescribeAlarms" and not names:
        names = ["*"]
    for name in names:
        yield Need(f"cloudwatch:{operation.name}", f"arn:aws:cloudwatch:{operation.region}:{account}:alarm:{name}")
    if operation.name == "PutMetricData":
        yield Need("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": str(parameters.get("Namespace"))})


_FINDERS: dict[str, Callable[[Operation, str], Iterator[Need]]] = {
    "apigateway": _apigateway,
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "events": _events,
    "iam": _iam,
    "lambda": _lambda,
    "logs": _logs,
    "s3": _s3,
    "sagemaker": _sagemaker,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": _sts,
}
