"""For the tests of applications: clients without a server, and a real server.

    fake = FakeClient()
    fake.allow("a-key", "192.0.2.0/24")
    fake.fail()  # until recover()

`ipgate_client.testing.fixtures` has the pytest fixture `ipgate_server`.
"""

from ipgate_client.testing.fakes import FakeAsyncClient, FakeClient
from ipgate_client.testing.server import IpgateServer

__all__ = ["FakeAsyncClient", "FakeClient", "IpgateServer"]
