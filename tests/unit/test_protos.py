"""The contract, as a client of another language takes it."""

from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import MessageToDict
from grpc_tools import protoc
from ipgate.domain.errors import InvalidArgument
from ipgate.rpc.status import to_error
from ipgate.v1 import authorize_pb2 as authorize

PROTOS = Path(__file__).parents[2] / "protos"


def test_the_protos_compile_with_protoc_alone(tmp_path: Path) -> None:
    """They import well-known types only, and have the options of Go, Java and C#."""
    image = tmp_path / "image.binpb"
    well_known = files("grpc_tools").joinpath("_proto")
    sources = [str(path) for path in sorted(PROTOS.rglob("*.proto"))]
    command = ["protoc", f"-I{PROTOS}", f"-I{well_known}", f"--descriptor_set_out={image}"]
    assert protoc.main([*command, *sources]) == 0
    for file in FileDescriptorSet.FromString(image.read_bytes()).file:
        outside = [path for path in file.dependency if not path.startswith("ipgate/v1/")]
        assert all(path.startswith("google/protobuf/") for path in outside)
        assert file.options.go_package == "ipgate/v1;ipgatev1"
        assert (file.options.java_package, file.options.java_multiple_files) == ("ipgate.v1", True)
        assert file.options.csharp_namespace == "Ipgate.V1"


def test_an_error_of_a_batch_is_plain_json() -> None:
    """Without types that a client would have to register first."""
    error = to_error(InvalidArgument.of("ip", "'q' is not an IP address"))
    answer = authorize.BatchAuthorizeResponse(results=[authorize.BatchAuthorizeResult(error=error)])
    (result,) = MessageToDict(answer)["results"]
    assert result["error"]["code"] == 3
    assert result["error"]["reason"] == "INVALID_ARGUMENT"
    assert result["error"]["fieldViolations"] == [
        {"field": "ip", "description": "'q' is not an IP address"}
    ]
