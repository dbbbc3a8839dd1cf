"""Days that people enter."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from ipgate.console import words


def parse_day(text: str) -> tuple[Timestamp | None, str]:
    """Return the beginning of a day in UTC, or the instant that was entered, and what is wrong with it."""
    entered = text.strip()
    if not entered:
        return None, ""
    try:
        moment = datetime.fromisoformat(entered.removesuffix(" UTC"))
    except ValueError:
        return None, f"{words.visible(entered)} is not a day; write it as in 2027-01-31"
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        timestamp.ToJsonString()
    except (ValueError, OverflowError):
        return None, f"{words.visible(entered)} is not in the years 1 to 9999"
    return timestamp, ""
