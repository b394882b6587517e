"""AWS::IAM."""

import json
from typing import Any, override

from infra.localaws.cloudformation.handler import Handler, Made, Properties, Target, integer, tag_list, tag_map


class Role(Handler):
    type = "AWS::IAM::Role"
    properties = frozenset(
        ("RoleName", "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
         "PermissionsBoundary", "Policies", "Tags")
    )  # fmt: skip
    immutable = frozenset(("RoleName", "Path"))
    name_property = "RoleName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        iam, name = target.client("iam"), properties.get("RoleName") or target.generated_name(64)
        arguments: Properties = {
            "RoleName": name,
            "Path": properties.get("Path", "/"),
            "AssumeRolePolicyDocument": json.dumps(properties["AssumeRolePolicyDocument"]),
            "Description": properties.get("Description", ""),
            "MaxSessionDuration": integer(properties.get("MaxSessionDuration", 3600)),
            "Tags": tag_list(target.tags(properties.get("Tags"))),
        }
        if "PermissionsBoundary" in properties:
            arguments["PermissionsBoundary"] = properties["PermissionsBoundary"]
        role = iam.create_role(**arguments)["Role"]
        try:
            self._put_policies(iam, name, {}, properties)
        except Exception:
            self.delete(target, name, properties)
            raise
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        iam = target.client("iam")
        document = json.dumps(new["AssumeRolePolicyDocument"])
        iam.update_assume_role_policy(RoleName=physical_id, PolicyDocument=document)
        duration = integer(new.get("MaxSessionDuration", 3600))
        iam.update_role(RoleName=physical_id, Description=new.get("Description", ""), MaxSessionDuration=duration)
        if "PermissionsBoundary" in new:
            iam.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=new["PermissionsBoundary"])
        elif "PermissionsBoundary" in old:
            iam.delete_role_permissions_boundary(RoleName=physical_id)
        self._put_policies(iam, physical_id, old, new)
        iam.tag_role(RoleName=physical_id, Tags=tag_list(target.tags(new.get("Tags"))))
        if gone := sorted(set(tag_map(old.get("Tags"))) - set(tag_map(new.get("Tags")))):
            iam.untag_role(RoleName=physical_id, TagKeys=gone)
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        iam = target.client("iam")
        present = set(iam.list_role_policies(RoleName=physical_id)["PolicyNames"])
        for policy in properties.get("Policies") or []:
            if policy["PolicyName"] in present:
                iam.delete_role_policy(RoleName=physical_id, PolicyName=policy["PolicyName"])
        for attached in iam.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=physical_id, PolicyArn=attached["PolicyArn"])
        iam.delete_role(RoleName=physical_id)

    def _put_policies(self, iam: Any, name: str, old: Properties, new: Properties) -> None:
        before = {p["PolicyName"]: p["PolicyDocument"] for p in old.get("Policies") or []}
        after = {p["PolicyName"]: p["PolicyDocument"] for p in new.get("Policies") or []}
        for policy in sorted(set(before) - set(after)):
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy, document in after.items():
            if before.get(policy) != document:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
        arns, old_arns = set(new.get("ManagedPolicyArns") or []), set(old.get("ManagedPolicyArns") or [])
        for arn in sorted(old_arns - arns):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in sorted(arns - old_arns):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


class Policy(Handler):
    """An inline policy of roles."""

    type = "AWS::IAM::Policy"
    properties = frozenset(("PolicyName", "PolicyDocument", "Roles"))
    immutable = frozenset(("PolicyName",))
    name_property = "PolicyName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        self._put(target, properties, properties.get("Roles") or [])
        return Made(target.generated_name(30))

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        self._put(target, new, new.get("Roles") or [])
        self._remove(target, old, set(old.get("Roles") or []) - set(new.get("Roles") or []))
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        self._remove(target, properties, set(properties.get("Roles") or []))

    def _put(self, target: Target, properties: Properties, roles: list[str]) -> None:
        document = json.dumps(properties["PolicyDocument"])
        for role in roles:
            target.client("iam").put_role_policy(
                RoleName=role, PolicyName=properties["PolicyName"], PolicyDocument=document
            )

    def _remove(self, target: Target, properties: Properties, roles: set[str]) -> None:
        for role in sorted(roles):
            target.client("iam").delete_role_policy(RoleName=role, PolicyName=properties["PolicyName"])


class ManagedPolicy(Handler):
    """A policy with an ARN of its own, here a permissions boundary."""

    type = "AWS::IAM::ManagedPolicy"
    properties = frozenset(("ManagedPolicyName", "Description", "Path", "PolicyDocument"))
    immutable = frozenset(("ManagedPolicyName", "Description", "Path"))
    name_property = "ManagedPolicyName"

    @override
    def create(self, target: Target, properties: Properties) -> Made:
        policy = target.client("iam").create_policy(
            PolicyName=properties.get("ManagedPolicyName") or target.generated_name(128),
            Path=properties.get("Path", "/"),
            Description=properties.get("Description", ""),
            PolicyDocument=json.dumps(properties["PolicyDocument"]),
        )["Policy"]
        return Made(policy["Arn"], {"PolicyArn": policy["Arn"]})

    @override
    def update(self, target: Target, physical_id: str, old: Properties, new: Properties) -> Made:
        iam = target.client("iam")
        document = json.dumps(new["PolicyDocument"])
        iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=document, SetAsDefault=True)
        for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        return Made(physical_id)

    @override
    def delete(self, target: Target, physical_id: str, properties: Properties) -> None:
        iam = target.client("iam")
        for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=physical_id)


HANDLERS = (Role(), Policy(), ManagedPolicy())
