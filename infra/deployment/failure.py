"""What a person can mend."""


class NotDeployed(Exception):
    """A command stopped; the message is one clear line, or paragraph, that says what to do."""
