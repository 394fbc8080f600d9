"""Errors that a user can cause and fix."""


class UserError(Exception):
    """One sentence for the user: the file or value, what is wrong, and what to do.

    `segmentation.flags.run` prints it without a traceback and exits with status 1.
    """
