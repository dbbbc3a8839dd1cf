"""Why a PEM file cannot be used."""

import ssl


def tls_error(error: OSError) -> str:
    """Return what OpenSSL or the system says about a file, without OpenSSL's numbers."""
    if not isinstance(error, ssl.SSLError):
        return str(error.strerror)
    # OpenSSL has no word for a file that is not PEM at all, or needs a password.
    return error.reason.replace("_", " ").lower() if error.reason else "unreadable"
