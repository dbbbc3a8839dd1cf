"""ipgate decides whether an API key may be used from an IP address."""

__version__ = "0.1.0"
