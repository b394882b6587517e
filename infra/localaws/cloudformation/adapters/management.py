"""AWS::Logs, AWS::SSM, AWS::CloudWatch."""

from typing import override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    boolean,
    integer,
    picked,
    tag_list,
)


class LogGroup(Handler):
    type = "AWS::Logs::LogGroup"
    properties = frozenset(("LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags"))
    immutable = frozenset(("LogGroupName", "LogGroupClass"))
    name_property = "LogGroupName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        logs, name = target.client("logs"), properties.get("LogGroupName") or target.generated_name(512)
        arguments: Properties = {"logGroupName": name, "tags": target.tags(properties.get("Tags"))}
        if "KmsKeyId" in properties:
            arguments["kmsKeyId"] = properties["KmsKeyId"]
        logs.create_log_group(**arguments)
        if "RetentionInDays" in properties:
            logs.put_retention_policy(logGroupName=name, retentionInDays=integer(properties["RetentionInDays"]))
        return Made(name, {"Arn": f"arn:aws:logs:{target.region}:{target.account}:log-group:{name}:*"})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        logs = target.client("logs")
        if "RetentionInDays" in new:
            logs.put_retention_policy(logGroupName=physical_id, retentionInDays=integer(new["RetentionInDays"]))
        elif "RetentionInDays" in old:
            logs.delete_retention_policy(logGroupName=physical_id)
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            raise ResourceError("A change of KmsKeyId of a log group is not supported by local AWS")
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("logs").delete_log_group(logGroupName=physical_id)


class Parameter(Handler):
    type = "AWS::SSM::Parameter"
    properties = frozenset(("Name", "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Tags"))
    immutable = frozenset(("Name",))
    name_property = "Name"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("Name") or target.generated_name(200)
        tags = tag_list(target.tags(properties.get("Tags")))
        self._put(target, name, properties, Overwrite=False, Tags=tags)
        return Made(name, {"Type": properties["Type"], "Value": properties["Value"]})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        self._put(target, physical_id, new, Overwrite=True)
        return Made(physical_id, {"Type": new["Type"], "Value": new["Value"]})

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("ssm").delete_parameter(Name=physical_id)

    @override
    def check(self, properties: Properties) -> None:
        super().check(properties)
        if properties.get("Type") == "SecureString":
            raise ResourceError("AWS::SSM::Parameter cannot be of type SecureString")

    def _put(self, target: Target, name: str, properties: Properties, **more: object) -> None:
        arguments = picked(properties, "Type", "Value", "Description", "AllowedPattern", "Tier", "DataType")
        target.client("ssm").put_parameter(Name=name, **arguments, **more)


_ALARM_INTEGERS = ("Period", "EvaluationPeriods", "DatapointsToAlarm")
_ALARM_TEXTS = ("AlarmDescription", "Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Unit",
                "ComparisonOperator", "TreatMissingData", "AlarmActions", "OKActions", "InsufficientDataActions",
                "EvaluateLowSampleCountPercentile")  # fmt: skip


class Alarm(Handler):
    type = "AWS::CloudWatch::Alarm"
    properties = frozenset(("AlarmName", "ActionsEnabled", "Threshold", "Tags", *_ALARM_INTEGERS, *_ALARM_TEXTS))
    immutable = frozenset(("AlarmName",))
    name_property = "AlarmName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        name = properties.get("AlarmName") or target.generated_name(255)
        if target.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise ResourceError(f"{name} already exists")
        self._put(target, name, properties)
        return Made(name, {"Arn": f"arn:aws:cloudwatch:{target.region}:{target.account}:alarm:{name}"})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        self._put(target, physical_id, new)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def _put(self, target: Target, name: str, properties: Properties) -> None:
        arguments = picked(properties, *_ALARM_TEXTS)
        arguments |= {key: integer(properties[key]) for key in _ALARM_INTEGERS if key in properties}
        arguments["ActionsEnabled"] = boolean(properties.get("ActionsEnabled", True))
        if "Threshold" in properties:
            arguments["Threshold"] = float(properties["Threshold"])
        tags = tag_list(target.tags(properties.get("Tags")))
        target.client("cloudwatch").put_metric_alarm(AlarmName=name, Tags=tags, **arguments)


HANDLERS = (LogGroup(), Parameter(), Alarm())
