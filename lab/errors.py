"""The lab's errors; each message is one line and ends with the way out."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


class UsageError(LabError):
    """What was asked for does not exist; the message lists what does."""
