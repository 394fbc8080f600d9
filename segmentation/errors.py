"""Errors that a user can cause and fix."""


class UserError(Exception):
    """One sentence for the user: the file or value, the trouble and the cure.

    `segmentation.flags.run` prints it without a traceback and exits with status 1.
    """
