"""AWS::Events, AWS::SNS, AWS::SQS."""

import json
from typing import Any, override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import Handler, Made, Properties, Target, exists, picked, tag_list


class Rule(Handler):
    """A rule of the default event bus and its targets."""

    type = "AWS::Events::Rule"
    properties = frozenset(
        ("Name", "Description", "EventPattern", "ScheduleExpression", "State", "Targets", "RoleArn", "EventBusName",
         "Tags")
    )  # fmt: skip
    immutable = frozenset(("Name", "EventBusName"))
    name_property = "Name"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        events, name = target.client("events"), properties.get("Name") or target.generated_name(64)
        bus = properties.get("EventBusName", "default")
        if exists(events.describe_rule, Name=name, EventBusName=bus):
            raise ResourceError(f"{name} already exists")
        arn = self._put(events, name, {}, properties, target)
        return Made(name, {"Arn": arn})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        return Made(physical_id, {"Arn": self._put(target.client("events"), physical_id, old, new, target)})

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        events, bus = target.client("events"), properties.get("EventBusName", "default")
        if ids := [t["Id"] for t in events.list_targets_by_rule(Rule=physical_id, EventBusName=bus)["Targets"]]:
            events.remove_targets(Rule=physical_id, EventBusName=bus, Ids=ids)
        events.delete_rule(Name=physical_id, EventBusName=bus)

    def _put(self, events: Any, name: str, old: Properties, new: Properties, target: Target) -> str:
        bus = new.get("EventBusName", "default")
        arguments = picked(new, "Description", "ScheduleExpression", "State", "RoleArn") | {"EventBusName": bus}
        if "EventPattern" in new:
            pattern = new["EventPattern"]
            arguments["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        if not old:
            arguments["Tags"] = tag_list(target.tags(new.get("Tags")))
        arn: str = events.put_rule(Name=name, **arguments)["RuleArn"]
        after = {t["Id"]: t for t in new.get("Targets") or []}
        gone = [t["Id"] for t in old.get("Targets") or [] if t["Id"] not in after]
        if gone:
            events.remove_targets(Rule=name, EventBusName=bus, Ids=gone)
        if after:
            answer = events.put_targets(Rule=name, EventBusName=bus, Targets=list(after.values()))
            if answer.get("FailedEntryCount"):
                raise ResourceError(f"Targets of {name} failed: {answer['FailedEntries']}")
        return arn


class Topic(Handler):
    type = "AWS::SNS::Topic"
    properties = frozenset(("TopicName", "DisplayName", "KmsMasterKeyId", "Subscription", "Tags"))
    immutable = frozenset(("TopicName",))
    name_property = "TopicName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        sns, name = target.client("sns"), properties.get("TopicName") or target.generated_name(200)
        arn = f"arn:aws:sns:{target.region}:{target.account}:{name}"
        if exists(sns.get_topic_attributes, TopicArn=arn):
            raise ResourceError(f"{name} already exists")
        attributes = picked(properties, "DisplayName", "KmsMasterKeyId")
        tags = tag_list(target.tags(properties.get("Tags")))
        sns.create_topic(Name=name, Attributes=attributes, Tags=tags)
        self._subscribe(sns, arn, {}, properties)
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        sns = target.client("sns")
        for name in ("DisplayName", "KmsMasterKeyId"):
            if old.get(name) != new.get(name):
                sns.set_topic_attributes(TopicArn=physical_id, AttributeName=name, AttributeValue=new.get(name, ""))
        self._subscribe(sns, physical_id, old, new)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sns").delete_topic(TopicArn=physical_id)

    def _subscribe(self, sns: Any, arn: str, old: Properties, new: Properties) -> None:
        before = {(s["Protocol"], s["Endpoint"]) for s in old.get("Subscription") or []}
        after = {(s["Protocol"], s["Endpoint"]) for s in new.get("Subscription") or []}
        for protocol, endpoint in sorted(after - before):
            sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint)
        for subscription in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
            if (subscription["Protocol"], subscription["Endpoint"]) in before - after:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


_QUEUE_ATTRIBUTES = ("DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds",
                     "VisibilityTimeout", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
                     "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication")  # fmt: skip
_QUEUE_DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
}


class Queue(Handler):
    type = "AWS::SQS::Queue"
    properties = frozenset(("QueueName", "Tags", *_QUEUE_ATTRIBUTES))
    immutable = frozenset(("QueueName", "FifoQueue"))
    name_property = "QueueName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        sqs, name = target.client("sqs"), properties.get("QueueName") or target.generated_name(80)
        if exists(sqs.get_queue_url, QueueName=name):
            raise ResourceError(f"{name} already exists")
        tags = target.tags(properties.get("Tags"))
        url = sqs.create_queue(QueueName=name, Attributes=_queue_attributes(properties), tags=tags)["QueueUrl"]
        arn = f"arn:aws:sqs:{target.region}:{target.account}:{name}"
        return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        before, after = _queue_attributes(old), _queue_attributes(new)
        for name in before:
            after.setdefault(name, _QUEUE_DEFAULTS.get(name, ""))
        target.client("sqs").set_queue_attributes(QueueUrl=physical_id, Attributes=after)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("sqs").delete_queue(QueueUrl=physical_id)


def _queue_attributes(properties: Properties) -> dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, dict):
            return json.dumps(value)
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in picked(properties, *_QUEUE_ATTRIBUTES).items()}


HANDLERS = (Rule(), Topic(), Queue())
