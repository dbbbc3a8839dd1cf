"""How much there may be of what; each is a setting."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quotas:
    ranges_per_list: int
    lists_per_key: int
    keys_per_workspace: int
    lists_per_workspace: int
