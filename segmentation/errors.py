"""What a user can cause and cure."""


class UserError(Exception):
    """One sentence for the user: the file or value, the trouble and the cure.

    `segmentation.flags.run` prints it without a traceback and exits with status 1.
    """
