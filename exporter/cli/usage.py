"""What a user typed that cannot be meant."""


class UsageError(Exception):
    """The arguments do not fit together; the message is for the user."""
