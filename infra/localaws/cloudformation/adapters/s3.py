"""AWS::S3."""

import json
from typing import Any, override

from infra.localaws.cloudformation.errors import ResourceError
from infra.localaws.cloudformation.handler import (
    Handler,
    Made,
    Properties,
    Target,
    boolean,
    integer,
    tag_list,
)


class Bucket(Handler):
    """Settings are put one by one; one that is taken out of the template is deleted again."""

    type = "AWS::S3::Bucket"
    properties = frozenset(
        ("BucketName", "VersioningConfiguration", "BucketEncryption", "PublicAccessBlockConfiguration",
         "LifecycleConfiguration", "OwnershipControls", "CorsConfiguration", "Tags")
    )  # fmt: skip
    immutable = frozenset(("BucketName",))
    name_property = "BucketName"
    kept_at_once = True

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        s3, name = target.client("s3"), properties.get("BucketName") or target.generated_name(63, lower=True)
        if name in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            raise ResourceError(f"{name} already exists")
        location = {} if target.region == "us-east-1" else {"LocationConstraint": target.region}
        s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": location} if location else {}))
        try:
            self._put(s3, name, target, {}, properties)
        except Exception:
            s3.delete_bucket(Bucket=name)
            raise
        domain = f"{name}.s3.{target.region}.amazonaws.com"
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": domain,
            "DualStackDomainName": f"{name}.s3.dualstack.{target.region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{target.region}.amazonaws.com",
        }
        return Made(name, attributes)

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        self._put(target.client("s3"), physical_id, target, old, new)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("s3").delete_bucket(Bucket=physical_id)

    def _put(self, s3: Any, name: str, target: Target, old: Properties, new: Properties) -> None:
        def differs(setting: str) -> bool:
            return old.get(setting) != new.get(setting)

        if differs("VersioningConfiguration"):
            status = (new.get("VersioningConfiguration") or {}).get("Status", "Suspended")
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        if differs("BucketEncryption"):
            put_or_delete(s3, "encryption", name, "ServerSideEncryptionConfiguration", _encryption(new))
        if differs("PublicAccessBlockConfiguration"):
            block = new.get("PublicAccessBlockConfiguration")
            if block:
                flags = {key: boolean(value) for key, value in block.items()}
                s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=flags)
            else:
                s3.delete_public_access_block(Bucket=name)
        if differs("LifecycleConfiguration"):
            put_or_delete(s3, "lifecycle", name, "LifecycleConfiguration", _lifecycle(new))
        if differs("OwnershipControls"):
            put_or_delete(s3, "ownership_controls", name, "OwnershipControls", new.get("OwnershipControls"))
        if differs("CorsConfiguration"):
            put_or_delete(s3, "cors", name, "CORSConfiguration", _cors(new))
        self._tag(s3, name, target, old, new)

    def _tag(self, s3: Any, name: str, target: Target, old: Properties, new: Properties) -> None:
        own = {key: value for key, value in target.tags(new.get("Tags")).items() if not key.startswith("aws:")}
        if own:  # S3 refuses tags that begin with aws: from callers
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(own)})
        elif old.get("Tags"):
            s3.delete_bucket_tagging(Bucket=name)


def put_or_delete(s3: Any, what: str, bucket: str, argument: str, value: Any) -> None:
    """Put a setting of a bucket, or take it away where the template has none."""
    if value is None:
        getattr(s3, f"delete_bucket_{what}")(Bucket=bucket)
    else:
        verb = "lifecycle_configuration" if what == "lifecycle" else what
        getattr(s3, f"put_bucket_{verb}")(Bucket=bucket, **{argument: value})


def _encryption(properties: Properties) -> Properties | None:
    encryption = properties.get("BucketEncryption")
    if not encryption:
        return None
    rules = []
    for rule in encryption["ServerSideEncryptionConfiguration"]:
        made: Properties = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        if "BucketKeyEnabled" in rule:
            made["BucketKeyEnabled"] = boolean(rule["BucketKeyEnabled"])
        rules.append(made)
    return {"Rules": rules}


_RULE_FIELDS = frozenset(
    ("Id", "Status", "Prefix", "ExpirationInDays", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
)


def _lifecycle(properties: Properties) -> Properties | None:
    lifecycle = properties.get("LifecycleConfiguration")
    if not lifecycle:
        return None
    rules = []
    for rule in lifecycle["Rules"]:
        if unsupported := sorted(set(rule) - _RULE_FIELDS):
            raise ResourceError(f"Lifecycle rule property {', '.join(unsupported)} is not supported by local AWS")
        made: Properties = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
        if "Id" in rule:
            made["ID"] = rule["Id"]
        if "ExpirationInDays" in rule:
            made["Expiration"] = {"Days": integer(rule["ExpirationInDays"])}
        for setting, days in (
            ("NoncurrentVersionExpiration", "NoncurrentDays"),
            ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
        ):
            if setting in rule:
                made[setting] = {days: integer(rule[setting][days])}
        rules.append(made)
    return {"Rules": rules}


def _cors(properties: Properties) -> Properties | None:
    cors = properties.get("CorsConfiguration")
    return {"CORSRules": cors["CorsRules"]} if cors else None


class BucketPolicy(Handler):
    type = "AWS::S3::BucketPolicy"
    properties = frozenset(("Bucket", "PolicyDocument"))
    immutable = frozenset(("Bucket",))

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        bucket = properties["Bucket"]
        policy = json.dumps(properties["PolicyDocument"])
        target.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
        return Made(bucket)

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        return self.create(target, new)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        target.client("s3").delete_bucket_policy(Bucket=physical_id)


HANDLERS = (Bucket(), BucketPolicy())
