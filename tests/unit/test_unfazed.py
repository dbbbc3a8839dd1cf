"""The grpc.aio server that takes up calls by itself."""

import asyncio

import pytest
from ipgate.engines.unfazed import Server


def test_a_server_that_can_take_up_no_calls_of_a_method_ends() -> None:
    """A worker must not go on with some methods only; when its server ends, it is replaced."""

    async def end_one() -> None:
        server = Server((), most_calls=1)
        server.add_paths("/a.B/C", "/a.B/D")
        server.add_insecure_port("127.0.0.1:0")
        await server.start()
        takers = server._server._takers
        assert len(takers) == 3  # one for each method, one for all other paths
        next(iter(takers)).cancel()
        async with asyncio.timeout(5):
            with pytest.raises(RuntimeError, match="not taken up"):
                await server.wait_for_termination()

    asyncio.run(end_one())


def test_a_server_that_is_stopped_leaves_nothing_behind() -> None:
    """No task goes on, and none ends with an error that somebody would find in the log."""

    async def stop() -> None:
        told = list[dict[str, object]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        server = Server((), most_calls=1)
        server.add_paths("/a.B/C")
        server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await server.stop(1)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not told

    asyncio.run(stop())
