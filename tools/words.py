"""Finds words that readers stumble over: `python tools/words.py`, a part of `make lint`.

Each entry is a regular expression and what to write instead. Markdown, Python (comments, docstrings, messages),
Lua and protos are searched.
"""

import re
import subprocess
import sys
from pathlib import Path

AVOID = {
    r"\bat once\b": "immediately, synchronously or together",
    r"\bunder way\b": "in flight",
    r"\banew\b": "again",
    r"\bmeanwhile\b": "in the meantime",
    r"\bby itself\b": "separately or automatically",
    r"\bin place of\b": "instead of",
    r"\bcut off\b": "interrupted",
    r"\bfor people\b": "human-readable",
    r"\bmend(s|ed|ing)?\b": "fix or repair",
    r"\b(is|are|was|were) told\b": "report or notify",
}
_SUFFIXES = {".md", ".py", ".lua", ".proto", ".toml", ".yml", ".sh"}
_SKIPPED = ("clients/python/ipgate/v1/", "tools/words.py", "CHANGELOG.md")


def main() -> int:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    findings = 0
    for name in listed.splitlines():
        path = Path(name)
        if path.suffix not in _SUFFIXES or name.startswith(_SKIPPED) or not path.exists():
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for pattern, instead in AVOID.items():
                match = re.search(pattern, line, re.IGNORECASE)
                if match:
                    print(f"{name}:{number}: {match[0]!r}; write {instead}")
                    findings += 1
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
