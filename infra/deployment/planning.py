"""Make the plan of a deployment: what would change in each stack and in the bucket. Making it changes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from include.deploy import release
from include.deploy.following import find_stack
from include.deploy.project import Clients
from include.settings import settings
from infra.deployment import plan, stacks, upload
from infra.deployment.callers import Callers
from infra.deployment.environment import Stack
from infra.deployment.failure import NotDeployed
from infra.deployment.home import Home, dags_of
from infra.deployment.parts import Part, has_release, has_startup_files, needed
from infra.deployment.plan import StackPlan, StackRequest
from infra.deployment.upload import FolderPlan
from infra.package import Package

TO_BE_UPLOADED = "to-be-uploaded"
"""Stands in a plan for the version id that S3 gives a file once it is uploaded."""
VERSION_PARAMETERS = {
    upload.REQUIREMENTS_KEY: "RequirementsVersion",
    upload.STARTUP_KEY: "StartupScriptVersion",
    upload.PLUGINS_KEY: "PluginsVersion",
}
"""The parameter of the stack `mwaa` for each file that MWAA reads when its containers start."""


@dataclass(frozen=True)
class Plan:
    """What a deployment would do."""

    parts: frozenset[Part]
    """What was asked for."""
    stacks: tuple[StackPlan, ...]
    is_release_new: bool
    dags: FolderPlan | None
    """How the DAGs folder of the bucket changes; None where Airflow has another one, or it is not to change."""
    changed_files: tuple[str, ...]
    """Files that Airflow reads when it starts, by key."""

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        is_dags_same = self.dags is None or self.dags.is_empty
        unchanged = all(stack.action == "nothing" for stack in self.stacks)
        return unchanged and is_dags_same and not self.is_release_new and not self.changed_files

    @property
    def lacks_dags_folder(self) -> bool:
        """Whether MWAA is to make an environment without the folder that it makes none without."""
        return "dags" not in self.parts and any(stack.action == "create" for stack in self.only("mwaa"))

    def only(self, *names: Stack) -> tuple[StackPlan, ...]:
        """The plans of some stacks."""
        return tuple(stack for stack in self.stacks if stack.request.name in names)


@dataclass(frozen=True)
class Planner:
    """Compares a package with what is deployed.

    Args:
        more: parameters of stacks from the command line.
    """

    home: Home
    package: Package
    callers: Callers
    more: Mapping[Stack, Mapping[str, str]] = field(default_factory=dict)

    @property
    def airflow_bucket(self) -> str:
        """The bucket that Airflow reads: the project's own, unless the environment file gives MWAA another one."""
        return self.home.environment.parameters("mwaa").get("BucketName", settings().bucket)

    def plan(self, parts: Collection[Part]) -> Plan:
        """The plan for these parts. The roles are always looked at: everything else is deployed by them.

        Raises:
            NotDeployed: a role or a stack is missing that is not among the parts, or the caller lacks a right.
            StackFailed: CloudFormation refuses a template or its parameters.
        """
        wanted = frozenset(parts)
        found = [self._access()]
        if wanted <= {"access"}:
            return Plan(wanted, tuple(found), is_release_new=False, dags=None, changed_files=())
        self._require_needed(wanted)
        is_new, dags, changed = self._bucket(wanted)
        names = [name for name in stacks.stack_names(self.home.environment) if name in wanted and name != "access"]
        found += [self._stack(name, has_new_files=bool(changed)) for name in names]
        planned = Plan(wanted, tuple(found), is_new, dags, changed)
        if planned.lacks_dags_folder:
            plan.discard(self.callers.deployer, planned.stacks)
            raise NotDeployed(
                "a new environment of Amazon MWAA needs its DAGs folder: nothing was changed; name dags in --only too"
            )
        return planned

    def _require_needed(self, parts: frozenset[Part]) -> None:
        """What a part stands on is deployed with it or before it."""
        clients = self.callers.deployer if self.callers.has_roles else self.callers.caller
        for part, need in needed(parts):
            name = settings().stack(need)
            if not stacks.is_usable(clients("cloudformation"), name):
                raise NotDeployed(
                    f"{part} needs the stack {name}, which is not there: nothing was changed; deploy {need} first, or "
                    "name it in --only as well"
                )

    def _access(self) -> StackPlan:
        request = self.request("access", {})
        clients = self.callers.deployer if self.callers.is_deployer else self.callers.caller
        try:
            found = plan.plan_stack(clients("cloudformation"), request, may_propose=True, sleep=self.home.sleep())
        except ClientError as error:
            if not plan.is_denied(error):
                raise
            found = plan.plan_stack(
                self.callers.deployer("cloudformation"), request, may_propose=True, sleep=self.home.sleep()
            )
            self._require_no_change(found)
            return found
        if self.callers.is_deployer:
            self._require_no_change(found)
        return found

    def _require_no_change(self, found: StackPlan) -> None:
        """The roles are changed by an administrator alone."""
        if found.action != "nothing":
            plan.discard(self.callers.deployer, [found])
            raise NotDeployed(
                f"the stack {found.request.stack} is to be changed first, which {self.callers.arn} may not: it "
                f"{self.callers.administrators_part}"
            )

    def _stack(self, name: Stack, *, has_new_files: bool) -> StackPlan:
        clients = self.callers.deployer if self.callers.has_roles else self.callers.caller
        more: dict[str, str] = {}
        may_propose = self.callers.has_roles
        if name == "features" and self.callers.has_roles:
            if stacks.has_broken_group(clients, settings()):
                may_propose = False
            else:
                more = stacks.feature_group_parameter(clients, settings(), self.home.sleep())
        if name == "mwaa":
            more = self.file_versions(clients, may_upload=False) if self.callers.has_roles else {}
        found = plan.plan_stack(
            clients("cloudformation"), self.request(name, more), may_propose=may_propose, sleep=self.home.sleep()
        )
        if name == "mwaa" and has_new_files:
            return plan.without_change_set(clients("cloudformation"), found)
        return found

    def _bucket(self, parts: frozenset[Part]) -> tuple[bool, FolderPlan | None, tuple[str, ...]]:
        reads_bucket = self.home.reads_bucket
        dags = dags_of(self.package) if reads_bucket and "dags" in parts else None
        files = self.files() if reads_bucket and has_startup_files(parts, self.home.environment) else {}
        if not self._has_bucket():
            new = upload.plan_folder(dags, {}, lambda _path, _body: False) if dags is not None else None
            return has_release(parts), new, tuple(files)
        s3, bucket = self.callers.deployer("s3"), settings().bucket
        is_new = has_release(parts) and (
            not release.is_uploaded(s3, bucket, self.package.release)
            or release.current_release(s3, bucket) != self.package.version
        )
        planned = upload.plan_objects(s3, self.airflow_bucket, upload.DAGS_PREFIX, dags) if dags is not None else None
        changed = [
            key for key, body in files.items() if upload.held_version(s3, self.airflow_bucket, key, body) is None
        ]
        return is_new, planned, tuple(changed)

    def _has_bucket(self) -> bool:
        if not self.callers.has_roles:
            return False
        return find_stack(self.callers.deployer("cloudformation"), settings().stack("data")) is not None

    def files(self) -> dict[str, bytes]:
        """What MWAA reads when its containers start, by key."""
        files = {
            upload.REQUIREMENTS_KEY: self.package.requirements,
            upload.STARTUP_KEY: self.package.startup_script(self.home.environment.name),
        }
        plugins = self.package.plugins
        return files | ({upload.PLUGINS_KEY: plugins} if plugins is not None else {})

    def file_versions(self, clients: Clients, *, may_upload: bool) -> dict[str, str]:
        """Parameters of the stack `mwaa` that name the versions; a file that is to be uploaded has none yet."""
        s3, bucket = clients("s3"), self.airflow_bucket
        found = {}
        for key, body in self.files().items():
            version = upload.put_versioned(s3, bucket, key, body) if may_upload else None
            version = version or upload.held_version(s3, bucket, key, body)
            found[VERSION_PARAMETERS[key]] = version or TO_BE_UPLOADED
        return found

    def request(self, name: Stack, more: Mapping[str, str]) -> StackRequest:
        """One stack as the package, the environment file, `more` and the command line want it."""
        if name == "access":  # whose roles read and write that bucket
            more = {"AirflowBucketName": self.airflow_bucket, **more}
        given = {**more, **self.more.get(name, {})}
        return stacks.stack_request(self.package, self.home.environment, settings(), name, given)


def plan_text(home: Home, package: Package, callers: Callers, planned: Plan) -> str:
    """The plan, for a person to decide on."""
    environment, found = home.environment, callers.settings
    where = home.endpoint_url or "AWS"
    lines = [
        f"\nPlan for environment {environment.name} ({environment.home}): "
        f"account {found.account_id}, {found.region}, {where}",
        f"package {package.version}" + (f", commit {package.commit}" if package.commit else ""),
        *(plan.stack_text(stack) for stack in planned.stacks),
    ]
    if has_release(planned.parts):
        lines.append(f"  release {package.version:<26} {'upload' if planned.is_release_new else 'no change'}")
    if planned.dags is not None:
        lines.append(f"  {upload.DAGS_PREFIX:<34} {planned.dags.text()}")
    lines += [f"  {key:<34} upload" for key in planned.changed_files]
    if planned.is_empty:
        lines.append("Everything is as it should be.")
    return "\n".join(lines) + "\n"
