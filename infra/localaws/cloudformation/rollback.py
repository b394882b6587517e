"""The ways through an operation on a stack: forward by the engine, and back when it fails."""

from infra.localaws.cloudformation.engine import Engine, Resources, StoppedError
from infra.localaws.cloudformation.plan import Plan
from infra.localaws.cloudformation.stack import Stack, StackResource, UpdateUndo, now

RESTARTED = "local AWS was restarted during the operation"


class Operations:
    """Whole operations; each ends in a final state of the stack, and none raises."""

    def __init__(self, engine: Engine, resources: Resources) -> None:
        self._engine = engine
        self._resources = resources

    def create(self, stack: Stack, plan: Plan) -> None:
        try:
            self._engine.create(stack, plan)
        except StoppedError as failure:
            self.fail_create(stack, str(failure))
        else:
            stack.set_status("CREATE_COMPLETE")

    def fail_create(self, stack: Stack, reason: str) -> None:
        """After a failed creation: roll back, delete, or leave it, as the caller chose."""
        if stack.on_failure == "DO_NOTHING":
            stack.set_status("CREATE_FAILED", reason)
        elif stack.on_failure == "DELETE":
            stack.set_status("CREATE_FAILED", reason)
            self.delete(stack, frozenset())
        else:
            stack.set_status("ROLLBACK_IN_PROGRESS", f"{reason} Rollback requested by user.")
            self.roll_back_create(stack)

    def roll_back_create(self, stack: Stack) -> None:
        """Delete what a creation has made."""
        made = list(stack.resources.values())
        keep = frozenset(r.logical_id for r in made if r.deletion_policy == "Retain")
        failed = self._engine.delete_all(stack, made, keep)
        stack.outputs = []
        if failed:
            stack.set_status("ROLLBACK_FAILED", f"The following resource(s) failed to delete: {failed}.")
        else:
            stack.set_status("ROLLBACK_COMPLETE")

    def update(self, stack: Stack, plan: Plan) -> None:
        try:
            self._engine.update(stack, plan)
        except StoppedError as failure:
            self.fail_update(stack, str(failure))
        else:
            stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self.clean_up(stack)

    def fail_update(self, stack: Stack, reason: str) -> None:
        """After a failed update: back to what was, or (DisableRollback) leave it."""
        if stack.on_failure == "DO_NOTHING":
            stack.undo = None
            stack.set_status("UPDATE_FAILED", reason)
        else:
            stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", reason)
            self.roll_back_update(stack)

    def clean_up(self, stack: Stack) -> None:
        """Delete what an update has replaced or removed; what cannot be deleted is left, as on AWS."""
        if stack.undo is not None:
            obsolete = stack.undo.obsolete
            self._engine.delete_all(stack, obsolete, _retained(stack, obsolete))
        stack.undo = None
        stack.set_status("UPDATE_COMPLETE")

    def roll_back_update(self, stack: Stack) -> None:
        """Take back what an update did, in reverse, and delete what it made."""
        undo = stack.undo
        assert undo is not None
        try:
            for name in reversed(undo.changed):
                self._restore(stack, undo, name)
        except StoppedError as failure:
            stack.set_status("UPDATE_ROLLBACK_FAILED", str(failure))
            return
        _restore_definition(stack, undo)
        stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._engine.delete_all(stack, undo.created, frozenset())
        stack.undo = None
        stack.set_status("UPDATE_ROLLBACK_COMPLETE")

    def _restore(self, stack: Stack, undo: UpdateUndo, name: str) -> None:
        applied, before = stack.resources[name], undo.resources[name]
        self._resources.update(stack, applied, before)
        undo.changed.remove(name)

    def delete(self, stack: Stack, keep: frozenset[str]) -> None:
        """Delete a stack; what has DeletionPolicy Retain or is in `keep` stays."""
        if stack.status != "DELETE_IN_PROGRESS":
            stack.set_status("DELETE_IN_PROGRESS")
        there = list(stack.resources.values())
        retained = frozenset(r.logical_id for r in there if r.deletion_policy in ("Retain", "RetainExceptOnCreate"))
        if failed := self._engine.delete_all(stack, there, keep | retained):
            stack.set_status("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
            return
        stack.outputs, stack.imports, stack.deleted_at = [], [], now()
        stack.set_status("DELETE_COMPLETE")

    def resume(self, stack: Stack) -> None:
        """End an operation that a restart of local AWS cut off: deletions go on, all else goes back."""
        status = stack.status
        if status == "CREATE_IN_PROGRESS":
            self.fail_create(stack, f"{RESTARTED}.")
        elif status == "ROLLBACK_IN_PROGRESS":
            self.roll_back_create(stack)
        elif status == "UPDATE_IN_PROGRESS":
            self.fail_update(stack, f"{RESTARTED}.")
        elif status in ("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"):
            self.roll_back_update(stack)
        elif status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            self.clean_up(stack)
        elif status == "DELETE_IN_PROGRESS":
            self.delete(stack, frozenset())


def _retained(stack: Stack, obsolete: list[StackResource]) -> frozenset[str]:
    """Replaced resources follow UpdateReplacePolicy, removed ones DeletionPolicy."""
    return frozenset(
        r.logical_id
        for r in obsolete
        if (r.replace_policy if r.logical_id in stack.resources else r.deletion_policy).startswith("Retain")
    )


def _restore_definition(stack: Stack, undo: UpdateUndo) -> None:
    stack.template_body, stack.template = undo.template_body, undo.template
    stack.parameters, stack.tags, stack.capabilities = undo.parameters, undo.tags, undo.capabilities
    stack.resources = undo.resources
