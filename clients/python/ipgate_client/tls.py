"""TLS of a client."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
from ipgate.domain.tls_files import tls_error

from ipgate_client.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the certificates to trust and, for mutual TLS, this client's certificate and its key.

    Raises ConfigError for a certificate without its key, or a key without its certificate.
    """

    ca: Path | str
    cert: Path | str = ""
    key: Path | str = ""

    def __post_init__(self) -> None:
        if bool(self.cert) != bool(self.key):
            text = "tls_cert and tls_key go together; give both or neither"
            raise ConfigError("tls_cert", text)

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises: ConfigError for unusable ones, of which gRPC says nothing helpful.
        """
        self._check()
        pair = [Path(path).read_bytes() for path in (self.key, self.cert) if path]
        return grpc.ssl_channel_credentials(Path(self.ca).read_bytes(), *pair)

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        argument, files = "tls_ca", f"tls_ca {str(self.ca)!r}"
        try:
            context.load_verify_locations(self.ca)
            if self.cert:
                argument = "tls_cert"
                files = f"tls_cert {str(self.cert)!r} and tls_key {str(self.key)!r}"
                # Without this password OpenSSL would ask for the one of an encrypted key.
                context.load_cert_chain(self.cert, self.key, password=lambda: b"")
        except OSError as error:
            text = f"{files}: {tls_error(error)}; give PEM files without a password"
            raise ConfigError(argument, text) from error
