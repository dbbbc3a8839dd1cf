"""The certificate, key and client authorities of TLS.

They are read and checked once, and passed on as they are, so that all workers serve the same.
"""

import os
import re
import ssl
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ipgate.domain.tls_files import tls_error
from ipgate.settings import BadSetting, Settings

HTTP2, HTTP1 = "h2", "http/1.1"
"""Protocols as TLS names them."""

_PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

_UTC_TIME = 0x17
"""The tag of a time with a year of two digits, in the encoding of certificates (DER)."""

_TIME = rb"(\x17\x0d[0-9]{12}Z|\x18\x0f[0-9]{14}Z)"
_VALIDITY = re.compile(rb"\x30[\x1e\x20\x22]" + _TIME + _TIME)
"""A sequence of two times, as RFC 5280 (4.1.2.5) has them: when a certificate begins and ends."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """As PEM.

    The key is secret.
    """

    chain: str
    key: str = field(repr=False)
    client_ca: str = ""

    def context(self, protocol: str = HTTP2) -> ssl.SSLContext:
        """For the server's side of a protocol.

        Raises: OSError, of which ssl.SSLError is one.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([protocol])
        with ExitStack() as stack:
            chain, key = _as_file(stack, self.chain), _as_file(stack, self.key)
            # A key with a password is rejected here, where OpenSSL would ask for it at the terminal.
            context.load_cert_chain(chain, key, password=lambda: b"")
            if self.client_ca:
                context.load_verify_locations(_as_file(stack, self.client_ca))
                context.verify_mode = ssl.CERT_REQUIRED
                # A session that is resumed is not verified again, so none may be: a client of an authority
                # that was removed would still get in. TLS 1.2 can be kept from it by its version alone.
                context.minimum_version = ssl.TLSVersion.TLSv1_3
                context.num_tickets = 0
        return context


class LatestTls:
    """What a listener secures its connections with, which may be replaced while it listens."""

    def __init__(self, files: TlsFiles, protocol: str = HTTP2) -> None:
        self._files = files
        self._protocol = protocol
        self._context = files.context(protocol)

    def listening(self) -> ssl.SSLContext:
        """Return a context that switches each handshake to the present certificate.

        A listener keeps the context with which it started.
        """

        def go_over(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            handshake.context = self._context

        first = self._files.context(self._protocol)
        first.sni_callback = go_over  # OpenSSL calls it for clients without a server name, too
        return first

    def replace(self, files: TlsFiles) -> None:
        """Serve new connections with these.

        Raises: OSError.
        """
        self._context = files.context(self._protocol)


def read(settings: Settings) -> TlsFiles | None:
    """Return the files of the settings, None without TLS.

    Raises: BadSetting for files that cannot be served with.
    """
    if not settings.tls_cert:
        return None
    cert, key, client_ca = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    try:
        pair = TlsFiles(_text(cert), _text(key))
        pair.context()
    except OSError as error:
        raise BadSetting(
            f"--tls-cert {cert!r} and --tls-key {key!r} cannot be served with: {tls_error(error)}; "
            "give a certificate chain and its key, both as PEM, without a password"
        ) from error
    if not client_ca:
        return pair
    try:
        files = TlsFiles(pair.chain, pair.key, _text(client_ca))
        files.context()
    except OSError as error:
        raise BadSetting(
            f"--tls-client-ca {client_ca!r}: {tls_error(error)}; give certificates as PEM"
        ) from error
    return files


def expiry(files: TlsFiles) -> float:
    """Return when the first certificate of the chain expires, in seconds since 1970; 0 if that is not found.

    It is found without a parser of certificates: the only two times before the public key are when it begins and ends.
    """
    first, validity = _PEM.search(files.chain), None
    if first is not None:
        validity = _VALIDITY.search(ssl.PEM_cert_to_DER_cert(first[0]))
    if validity is None:
        return 0.0
    ends = validity[2]
    form = "%y%m%d%H%M%SZ" if ends[0] == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(ends[2:].decode(), form).replace(tzinfo=UTC).timestamp()


def _text(path: str) -> str:
    # What is no text is no PEM either, and OpenSSL says so.
    return Path(path).read_text("ascii", errors="replace")


def _as_file(stack: ExitStack, text: str) -> str:
    """Return the path of a file in memory that has this content.

    OpenSSL takes certificates from files only, and what was checked must be what is served.
    """
    descriptor = os.memfd_create("tls")
    stack.callback(os.close, descriptor)
    os.write(descriptor, text.encode())
    return f"/proc/self/fd/{descriptor}"
