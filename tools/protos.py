"""Generates `service/ipgate/v1` from `protos/`; with --check, lints the protos and tells whether
the generated code is current."""

import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.rpc import status_pb2
from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
PROTOS = ROOT / "protos"
COMMITTED = ROOT / "service" / "ipgate" / "v1"


def run_protoc(*arguments: str) -> None:
    well_known = files("grpc_tools").joinpath("_proto")
    google_rpc = Path(status_pb2.__file__).parents[2]
    includes = [f"-I{each}" for each in (PROTOS, well_known, google_rpc)]
    sources = sorted(str(each) for each in PROTOS.rglob("*.proto"))
    if protoc.main(["protoc", *includes, *arguments, *sources]):
        sys.exit("protoc failed")


def generate(into: Path) -> None:
    run_protoc(f"--python_out={into}", f"--pyi_out={into}", f"--grpc_python_out={into}")


def check() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        buf = Path(sys.executable).with_name("buf")
        linted = subprocess.run(
            [buf, "lint", image, "--config", PROTOS / "buf.yaml"], check=False
        ).returncode
        if linted:
            sys.exit("buf lint failed")
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        generate(fresh)
        for path in sorted((fresh / "ipgate" / "v1").iterdir()):
            committed = COMMITTED / path.name
            if not committed.exists() or committed.read_bytes() != path.read_bytes():
                sys.exit(f"{committed.relative_to(ROOT)} is not current; run: make protos")
    print("protos linted, generated code current")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        check()
    else:
        generate(COMMITTED.parent.parent)
