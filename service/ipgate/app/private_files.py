"""Files and directories that nobody else may write: who can, could replace the root token or the data."""

import os
import stat
from pathlib import Path

from ipgate.settings import BadSetting


def check_private(path: Path) -> None:
    """Check that only this user and root may change what a path holds.

    Raises: BadSetting if others may, and OSError if the path does not exist.
    """
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        raise BadSetting(f"{path} belongs to another user; chown it to the user that runs ipgate")
    # In a directory with the sticky bit, users cannot remove or rename the files of others.
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not sticky:
        raise BadSetting(f"every user may write {path}; run: chmod o-w {path}")
    if status.st_mode & stat.S_IWGRP and not stat.S_ISDIR(status.st_mode):
        raise BadSetting(f"the group of {path} may write it; run: chmod g-w {path}")
