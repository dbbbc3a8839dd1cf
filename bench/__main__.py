"""Runs the measurements and prints the table; `flood` or `scale`, and how many, runs that instead."""

import platform
import sys

import grpc

from bench import decisions, flood, load, scale
from bench.table import show

print(
    f"ipgate bench: Python {sys.version.split()[0]}, grpcio {grpc.__version__}, {platform.machine()}\n"
)
if sys.argv[1:2] == ["flood"]:
    show(flood.measure(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
elif sys.argv[1:2] == ["scale"]:
    show(scale.measure(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
else:
    show([*decisions.measure(), *load.measure()])
