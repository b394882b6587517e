"""Carry out a plan: stacks in their order, the release before what runs it, the DAGs last."""

from dataclasses import dataclass, replace

from include.deploy import release
from include.deploy.project import Clients
from include.settings import settings
from infra.deployment import plan, stacks, upload
from infra.deployment.callers import Callers
from infra.deployment.home import dags_of
from infra.deployment.parts import has_release, has_startup_files
from infra.deployment.plan import StackPlan
from infra.deployment.planning import Plan, Planner
from infra.deployment.progress import Progress


@dataclass(frozen=True)
class Applier:
    """Lets a plan happen. Stopped at any point it leaves what served serving, and a new plan holds the rest.

    CloudFormation rolls a stack that fails back; a release lies under its own prefix, and becomes the current one once
    the serving stack runs it, where that is deployed too; DAGs come after all that they use.
    """

    planner: Planner
    progress: Progress

    @property
    def _callers(self) -> Callers:
        return self.planner.callers

    def apply(self, planned: Plan) -> None:
        """Carry out a whole plan.

        Raises:
            StackFailed: CloudFormation refused or rolled back.
        """
        for stack in planned.only("access", "data"):
            self._stack(stack)
        if has_release(planned.parts):
            self._upload_release()
        for stack in planned.only("features", "ml", "serving"):
            self._stack(stack)
        if has_release(planned.parts):
            release.make_current(self._callers.deployer("s3"), settings().bucket, self.planner.package.release)
        for stack in planned.only("mwaa"):
            self._stack(stack)
        if self.planner.home.reads_bucket:
            if "dags" in planned.parts:
                self._upload_dags()
            if has_startup_files(planned.parts, self.planner.home.environment):
                self._upload_files()

    def _stack(self, stack: StackPlan) -> None:
        is_access = stack.request.name == "access"
        clients = self._callers.caller if is_access and not self._callers.is_deployer else self._callers.deployer
        if stack.request.name == "mwaa":
            stack = self._with_files(clients, stack)
        if stack.action == "nothing":
            return
        if stack.request.name == "features" and stack.proposed is None:
            # Planned before the roles were there, or beside a broken group, which is deleted now.
            more = stacks.feature_group_parameter(clients, settings(), self.planner.home.sleep())
            stack = replace(stack, request=self.planner.request("features", more))
        with self.progress.stage(f"stack {stack.request.stack}") as detail:
            plan.apply(clients, settings(), stack, on_progress=detail, sleep=self.planner.home.sleep())
        if is_access:
            self._callers.forget_roles()

    def _with_files(self, clients: Clients, stack: StackPlan) -> StackPlan:
        """MWAA reads requirements and startup script by their version, which S3 gives once they are there."""
        if stack.action == "create":
            self._upload_dags()  # MWAA makes no environment without its DAGs folder
        return replace(
            stack, request=self.planner.request("mwaa", self.planner.file_versions(clients, may_upload=True))
        )

    def _upload_release(self) -> None:
        s3, made = self._callers.deployer("s3"), self.planner.package.release
        if not release.is_uploaded(s3, settings().bucket, made):
            with self.progress.stage("release", f"s3://{settings().bucket}/{made.prefix}"):
                release.upload(s3, settings().bucket, made)

    def _upload_dags(self) -> None:
        s3, bucket = self._callers.deployer("s3"), self.planner.airflow_bucket
        wanted = dags_of(self.planner.package)
        todo = upload.plan_objects(s3, bucket, upload.DAGS_PREFIX, wanted)
        if not todo.is_empty:
            with self.progress.stage("DAGs folder", f"s3://{bucket}/{upload.DAGS_PREFIX}") as detail:
                upload.upload_objects(s3, bucket, upload.DAGS_PREFIX, wanted, todo, detail)

    def _upload_files(self) -> None:
        for key, body in self.planner.files().items():
            upload.put_versioned(self._callers.deployer("s3"), self.planner.airflow_bucket, key, body)
