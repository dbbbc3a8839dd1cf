"""Why an export or import was not made."""

from collections.abc import Sequence


class Refused(Exception):
    """`str()` is for people: what is refused, and below it a line for each thing that is wrong."""

    def __init__(self, text: str, faults: Sequence[str] = ()) -> None:
        super().__init__("\n".join([text, *(f"  {each}" for each in faults)]))
