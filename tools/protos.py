"""Generates the code of all protos; with --check, lints them and compares the generated code; with --keep, keeps the
contract as it is, as what a later one must be compatible with.

`protos/` is the contract, whose code is in the client's distribution. `service/protos/` is the server's own.

The compiler is older than the protobuf of the development environment, because generated code runs
with its own version of protobuf and with later ones. `tools/protos.lock` pins it, in an environment
of its own.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT / "protos"
CODE = {CONTRACT: ROOT / "clients" / "python", ROOT / "service" / "protos": ROOT / "service"}
"""Where the code of each directory of protos is committed."""

KEPT = CONTRACT / "kept.binpb"
"""The contract as it was kept last."""

BUF = CONTRACT / "buf.yaml"
BIN = Path(sys.executable).parent
PROTOC = (
    *(BIN / "uv", "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable),
    *("--with-requirements", ROOT / "tools" / "protos.lock"),
    *("python", "-m", "grpc_tools.protoc"),
)


def run_protoc(protos: Path, *arguments: str) -> None:
    """Compile all protos of a directory. Exits if the compiler fails."""
    run = subprocess.run(
        [*PROTOC, f"-I{protos}", *arguments, *sorted(protos.rglob("*.proto"))],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if run.returncode:
        sys.exit(f"{run.stderr}protoc failed")


def generate(protos: Path, into: Path) -> None:
    """Write the packages of a directory of protos below another one."""
    # The server needs no stubs of its own protos.
    stubs = ("grpc_python", "mypy_grpc") if protos == CONTRACT else ()
    plugins = ("python", "pyi", *stubs)
    run_protoc(protos, *(f"--{plugin}_out={into}" for plugin in plugins))


def check(protos: Path, committed: Path) -> None:
    """Exits unless the protos follow the style and the committed code is what they generate."""
    with tempfile.TemporaryDirectory() as scratch:
        image, fresh = Path(scratch) / "image.binpb", Path(scratch) / "fresh"
        described = ("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        run_protoc(protos, *described)
        lint = (BIN / "buf", "lint", image, "--config", BUF)
        if subprocess.run(lint, check=False).returncode:
            sys.exit("buf lint failed")
        if protos == CONTRACT:
            check_compatible(image)
        fresh.mkdir()
        generate(protos, fresh)
        for path in sorted(fresh.rglob("*.py*")):
            kept = committed / path.relative_to(fresh)
            if not kept.exists() or kept.read_bytes() != path.read_bytes():
                sys.exit(f"{kept.relative_to(ROOT)} is not current; run: make protos")


def check_compatible(image: Path) -> None:
    """Exits if a client of the kept contract could break."""
    breaking = (BIN / "buf", "breaking", image, "--against", KEPT, "--config", BUF)
    if subprocess.run(breaking, check=False).returncode:
        sys.exit("the change breaks clients; docs/releasing.md says when it may: make keep-protos")


def keep() -> None:
    """Keep the contract."""
    run_protoc(CONTRACT, "--include_imports", f"--descriptor_set_out={KEPT}")


if __name__ == "__main__":
    if "--keep" in sys.argv[1:]:
        keep()
        sys.exit()
    for protos, committed in CODE.items():
        if "--check" in sys.argv[1:]:
            check(protos, committed)
        else:
            generate(protos, committed)
    if "--check" in sys.argv[1:]:
        print("protos linted, generated code current")
