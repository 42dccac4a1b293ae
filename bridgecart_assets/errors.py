"""The base of every error that is meant for a person: one line that says what happened and what to do."""


class BridgeCartError(Exception):
    """An expected failure. Its text is one line for the user; the command line prints it without a traceback."""
