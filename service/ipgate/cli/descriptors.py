"""`ipgate descriptors`."""

import sys

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from ipgate.cli.endpoint import CliError
from ipgate.v1 import admin_pb2, authorize_pb2


def descriptors() -> None:
    """Write the descriptor set of the API to standard output, for gateways that translate JSON.

    Example: ipgate descriptors > ipgate.binpb
    """
    if sys.stdout.isatty():
        raise CliError("the output is binary; redirect it: ipgate descriptors > ipgate.binpb")
    files: dict[str, FileDescriptor] = {}
    # Errors carry messages of google.rpc, which no method names.
    for module in (admin_pb2, authorize_pb2, error_details_pb2, status_pb2):
        _add(module.DESCRIPTOR, files)
    described = FileDescriptorSet()
    for file in files.values():
        file.CopyToProto(described.file.add())
    sys.stdout.buffer.write(described.SerializeToString())


def _add(file: FileDescriptor, files: dict[str, FileDescriptor]) -> None:
    """Add a file after those that it imports."""
    for imported in file.dependencies:
        _add(imported, files)
    files[file.name] = file
