"""The base of every error that is meant for a person: one line that says what happened and what to do."""

import errno


class BridgeCartError(Exception):
    """An expected failure. Its text is one line for the user; the command line prints it without a traceback.

    `is_mended_by_topic`: the remedy is to build the warehouse again, so what the topic still has is worth a sentence.
    """

    is_mended_by_topic = False


class SystemRefused(BridgeCartError):
    """The operating system refused a file, a folder or a resource."""


WRITABLE = "make it writable or set BRIDGECART_DATA_DIR"
_REMEDIES = {
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), WRITABLE),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST), "move it away or set BRIDGECART_DATA_DIR"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space and run again"),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n)"),
    errno.EIO: "look after its disk",
}


def refusal(error: OSError) -> SystemRefused | None:
    """The error in one line with its remedy; None when it may as well be a mistake of ours."""
    if error.errno not in _REMEDIES:
        return None
    where = error.filename if error.filename is not None else "a file"
    return SystemRefused(f"Cannot use {where} ({error.strerror}): {_REMEDIES[error.errno]}.")
