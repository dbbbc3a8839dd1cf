"""The grpc.aio server that no path can stop."""

import asyncio

import grpc
import grpc.aio
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from ipgate.engines.grpcio import hardened


def test_the_private_names_of_grpcio_are_there() -> None:
    """An upgrade of grpcio that takes one of them away fails here, and not with the first bad path."""
    for name in hardened.PRIVATE:
        value = cygrpc
        for part in name.split("."):
            value = getattr(value, part, None)
            assert value is not None, f"grpcio {grpc.__version__} has no {name}"


def test_a_server_that_is_stopped_leaves_nothing_behind() -> None:
    """No task goes on, and none ends with an error that somebody would find in the log."""

    async def stop() -> None:
        reported = list[dict[str, object]]()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        hardened.harden()
        server = grpc.aio.server()
        server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await server.stop(1)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not reported

    asyncio.run(stop())
