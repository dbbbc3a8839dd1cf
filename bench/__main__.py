"""Runs all measurements and prints the table."""

import platform
import sys

import grpc

from bench import decisions, load
from bench.table import show

print(
    f"ipgate bench: Python {sys.version.split()[0]}, grpcio {grpc.__version__}, {platform.machine()}\n"
)
show([*decisions.measure(), *load.measure()])
