"""What CloudFormation answers when it refuses a request, and what a resource says when it fails."""

from moto.core.exceptions import ServiceException


class CloudFormationFault(ServiceException):
    """An error answer to the caller."""


class Refused(CloudFormationFault):
    """Bad input or a stack in the wrong state."""

    code = "ValidationError"


class AlreadyExists(CloudFormationFault):
    """A stack or change set of that name is there."""

    code = "AlreadyExistsException"


class InsufficientCapabilities(CloudFormationFault):
    """The template makes IAM resources and the caller did not acknowledge it."""

    code = "InsufficientCapabilitiesException"


class ChangeSetNotFound(CloudFormationFault):
    """No change set of that name."""

    code = "ChangeSetNotFound"


class InvalidChangeSetStatus(CloudFormationFault):
    """The change set cannot be executed now."""

    code = "InvalidChangeSetStatus"


class ResourceError(Exception):
    """A resource could not be made, changed or deleted; the text becomes the event's reason."""
