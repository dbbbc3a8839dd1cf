"""Generates `ipgate.v1` from `protos/`; with --check, lints the protos and compares the generated code.

The compiler is older than the protobuf of the development environment, because generated code runs
with its own version of protobuf and with later ones. `tools/protos.lock` pins it, in an environment
of its own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROTOS = ROOT / "protos"
COMMITTED = ROOT / "clients" / "python"
BIN = Path(sys.executable).parent
PROTOC = (
    *(BIN / "uv", "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable),
    *("--with-requirements", ROOT / "tools" / "protos.lock"),
    *("python", "-m", "grpc_tools.protoc", f"-I{PROTOS}"),
)


def run_protoc(*arguments: str) -> None:
    """Compile all protos. Exits if the compiler fails."""
    run = subprocess.run(
        [*PROTOC, *arguments, *sorted(PROTOS.rglob("*.proto"))],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if run.returncode:
        sys.exit(f"{run.stderr}protoc failed")


def generate(into: Path) -> None:
    """Write the package `ipgate.v1` below a directory."""
    plugins = ("python", "pyi", "grpc_python", "mypy_grpc")
    run_protoc(*(f"--{plugin}_out={into}" for plugin in plugins))


def check() -> None:
    """Exits unless the protos follow the style and the committed code is what they generate."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        lint = (BIN / "buf", "lint", image, "--config", PROTOS / "buf.yaml")
        if subprocess.run(lint, check=False).returncode:
            sys.exit("buf lint failed")
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        generate(fresh)
        for path in sorted(fresh.rglob("*.py*")):
            committed = COMMITTED / path.relative_to(fresh)
            if not committed.exists() or committed.read_bytes() != path.read_bytes():
                sys.exit(f"{committed.relative_to(ROOT)} is not current; run: make protos")
    print("protos linted, generated code current")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        check()
    else:
        generate(COMMITTED)
