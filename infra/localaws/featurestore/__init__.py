"""SageMaker Feature Store: groups, the online store, and the offline store as Parquet in S3."""

import threading
from typing import Any

from infra.localaws.featurestore.groups import FeatureGroup, FeatureGroups, Provision
from infra.localaws.featurestore.offline import Delay, Flusher
from infra.localaws.featurestore.records import OfflineTable, RecordStore
from infra.localaws.featurestore.runtime import Runtime, matches
from infra.localaws.featurestore.write_units import WriteUnits
from infra.localaws.iam.guard import Denied
from infra.localaws.iam.needs import Need
from infra.localaws.world import ACCOUNT_ID, World, log

SERVICE, SESSION = "sagemaker.amazonaws.com", "FeatureStore"
"""Under which names Feature Store assumes the role of a group."""


class Service(Provision):
    """Makes a created group usable: checks its bucket, keeps where its offline store lies."""

    def __init__(self, world: World, records: RecordStore, flusher: Flusher) -> None:
        self._world = world
        self._records = records
        self._flusher = flusher

    def begin(self, group: FeatureGroup) -> None:
        threading.Thread(target=self._create, args=(group,), name=f"create-{group.arn}", daemon=True).start()

    def changed(self, group: FeatureGroup) -> None:
        self._records.define(group.key, group.offline_table())

    def end(self, group: FeatureGroup) -> None:
        try:
            self._flusher.flush_group(group.key)
        except Denied as denied:  # the role may be gone before its group; AWS deletes the group all the same
            log.warning("offline store of %s: what waited for it is lost: %s", group.key, denied.message)
        self._records.forget(group.key)

    def resume(self) -> None:
        """Finish, before any request, the groups that were being created when local AWS stopped."""
        from moto.sagemaker.models import sagemaker_backends

        for backend in sagemaker_backends[ACCOUNT_ID].values():
            groups: dict[str, Any] = dict(backend.feature_groups)
            for group in groups.values():
                self._records.define(group.key, group.offline_table())
                if group.status == "Creating":
                    self._end_creation(group, self._fault(group))

    def _create(self, group: FeatureGroup) -> None:
        """A group is Created only once it is on disk: no record is accepted for a group that a kill would undo."""
        fault = self._fault(group)
        if fault is None:
            try:
                self._world.save()
            except (OSError, RuntimeError) as error:
                fault = f"Local AWS could not save its state: {error}"
        self._end_creation(group, fault)

    def _fault(self, group: FeatureGroup) -> str | None:
        table = group.offline_table()
        self._records.define(group.key, table)
        if table is None:
            return None
        if not _bucket_exists(table.bucket):
            return f"The S3 bucket {table.bucket} of the offline store does not exist"
        try:
            guard, role_arn = self._world.guard, str(group.request.get("RoleArn", ""))
            role = guard.service_session(role_arn, SERVICE, SESSION, group.arn)
            for action in ("s3:GetBucketAcl", "s3:GetBucketLocation"):
                guard.require(Need(action, f"arn:aws:s3:::{table.bucket}"), role)
        except Denied as denied:
            return denied.message
        return None

    def _end_creation(self, group: FeatureGroup, fault: str | None) -> None:
        group.failure_reason = fault
        group.status = "CreateFailed" if fault else "Created"
        self._world.mark_changed()


def install(world: World) -> None:
    """Serve the data plane and put our control plane behind moto's SageMaker actions."""
    from moto.sagemaker.models import sagemaker_backends

    from infra.localaws.s3 import put_bytes
    from infra.localaws.sagemaker.actions import override

    def find_group(region: str, name: str) -> FeatureGroup | None:
        arn = f"arn:aws:sagemaker:{region}:{ACCOUNT_ID}:feature-group/{name.lower()}"
        groups: Any = sagemaker_backends[ACCOUNT_ID][region].feature_groups
        group: FeatureGroup | None = groups.get(arn)
        return group

    records = RecordStore(world.config.state_dir / "feature-store.sqlite")

    def put_under_role(table: OfflineTable, key: str, body: bytes) -> None:
        role = world.guard.service_session(table.role_arn, SERVICE, SESSION, table.group_arn)
        for action in ("s3:PutObject", "s3:PutObjectAcl"):
            world.guard.require(Need(action, f"arn:aws:s3:::{table.bucket}/{key}"), role)
        put_bytes(table.bucket, key, body)

    flusher = Flusher(records, put_under_role, Delay(world.config.offline_delay_s, world.config.offline_seed))
    service = Service(world, records, flusher)
    groups = FeatureGroups(service)
    for action in ("Create", "Describe", "Delete", "Update"):
        override(f"{action}FeatureGroup", getattr(groups, action.lower()))
    override("ListFeatureGroups", groups.list)
    units = WriteUnits(world.config.write_units_per_s)
    world.route(matches, Runtime(records, flusher, units, find_group, world.config.region))
    world.on_restore(service.resume)
    world.on_restore(flusher.start)  # it writes under roles, which are there only once the kept state is
    world.on_shutdown(flusher.stop)


def _bucket_exists(bucket: str) -> bool:
    from moto.s3.models import s3_backends

    return bucket in s3_backends[ACCOUNT_ID]["aws"].buckets
