"""Why an export or import was not made."""

from collections.abc import Sequence


class BackupError(Exception):
    """`str()` is human-readable: the reason, and below it one line for each of the `details`."""

    def __init__(self, text: str, details: Sequence[str] = ()) -> None:
        super().__init__("\n".join([text, *(f"  {detail}" for detail in details)]))
