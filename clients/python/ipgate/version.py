"""The version of both distributions, `ipgate-client` and `ipgate`."""

VERSION = "0.1.0"
