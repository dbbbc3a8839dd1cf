"""Runs the measurements and prints the table; `flood` and how many runs that attack instead."""

import platform
import sys

import grpc

from bench import decisions, flood, load
from bench.table import show

print(
    f"ipgate bench: Python {sys.version.split()[0]}, grpcio {grpc.__version__}, {platform.machine()}\n"
)
if sys.argv[1:2] == ["flood"]:
    show(flood.measure(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
else:
    show([*decisions.measure(), *load.measure()])
