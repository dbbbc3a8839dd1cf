"""How much there may be of what; each is a setting."""

from dataclasses import dataclass

from ipgate.domain.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Quotas:
    ranges_per_list: int
    lists_per_key: int
    keys_per_workspace: int
    lists_per_workspace: int

    def check_ranges(self, count: int) -> None:
        """Raise LimitExceeded for more ranges than a list may have."""
        if count > self.ranges_per_list:
            raise LimitExceeded(
                f"the list would have {count} ranges; at most {self.ranges_per_list} are permitted "
                "(setting max-ranges-per-list)"
            )
