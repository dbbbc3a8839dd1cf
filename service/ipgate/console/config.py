"""The options of the console, and whether they are safe."""

from dataclasses import dataclass
from ipaddress import ip_address

from ipgate_client import Tls

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "ipgate.localhost")
"""Names of this machine, by which a browser on it reaches the console. Cookies are kept apart by names, and not by
ports; no other program has the last one."""


class BadConsoleOption(Exception):
    """An option that the console cannot start with; the message is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig:
    """`server`: where ipgate serves, `server_tls`: None for plaintext.

    `names`: of the console besides that in `listen`, as browsers have them in their address line, without a port.
    `behind_tls`: browsers reach it through a proxy that has TLS.
    """

    server: str
    server_tls: Tls | None = None
    listen: str = "127.0.0.1:8080"
    tls_cert: str = ""
    tls_key: str = ""
    names: tuple[str, ...] = ()
    plaintext: bool = False
    behind_tls: bool = False

    def address(self) -> tuple[str, int]:
        """Return the host, without brackets, and the port.

        Raises: BadConsoleOption.
        """
        host, separator, port = self.listen.rpartition(":")
        if not separator or not host or not port.isdecimal() or int(port) > 65535:
            raise BadConsoleOption(
                f"--listen {self.listen!r}: give HOST:PORT, such as 127.0.0.1:8080"
            )
        return host.strip("[]"), int(port)

    def is_secure(self) -> bool:
        """Return whether browsers reach the console with TLS."""
        return bool(self.tls_cert) or self.behind_tls

    def is_local(self) -> bool:
        """Return whether only this machine reaches the console."""
        host, _ = self.address()
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def check(self) -> None:
        """Check the options together.

        Raises: BadConsoleOption.
        """
        self.address()
        if bool(self.tls_cert) != bool(self.tls_key):
            raise BadConsoleOption(
                "--console-cert and --console-key belong together; give both or neither"
            )
        if not self.is_local() and not self.is_secure() and not self.plaintext:
            raise BadConsoleOption(
                f"--listen {self.listen} opens the console to the network without TLS, and access tokens "
                "are sent to it; give --console-cert and --console-key, --behind-tls if a proxy in front has TLS, "
                "or --plaintext to accept that"
            )

    def hosts(self) -> frozenset[str]:
        """Return the names that a request may have as its host, without a port."""
        host, _ = self.address()
        own = f"[{host}]" if ":" in host else host
        unspecified = host in ("0.0.0.0", "::")  # noqa: S104  a comparison
        local = LOOPBACK if self.is_local() or unspecified else ()
        return frozenset({own.lower(), *local, *(name.lower() for name in self.names)})
