"""The root token: configured for this server, or shared by all servers of a store.

A token from `IPGATE_ROOT_TOKEN` or `IPGATE_ROOT_TOKEN_FILE` is valid on its own server. Otherwise the
digest in the store decides; the first server sets it, and keeps the token in its data directory.
"""

import hmac
import logging
import os
import secrets
from pathlib import Path

from ipgate.app.private_files import check_private
from ipgate.domain.credential import (
    ACCESS_TOKEN_PREFIX,
    RANDOM_BYTES,
    digest,
    has_bad_checksum,
    mint,
)
from ipgate.domain.errors import Unavailable
from ipgate.settings import BadSetting
from ipgate.store.root import RootStore

log = logging.getLogger(__name__)

VARIABLE = "IPGATE_ROOT_TOKEN"
FILE_VARIABLE = "IPGATE_ROOT_TOKEN_FILE"
ELSEWHERE = "as another server set it; 'ipgate token reset-root' makes a new one"
_SHORTEST = 32
_MAX_BYTES = 4096


def given_root() -> tuple[bytes, str] | None:
    """Return the digest of the token that this server is given, and where it comes from.

    Raises: BadSetting.
    """
    token, file = os.environ.get(VARIABLE, ""), os.environ.get(FILE_VARIABLE, "")
    if token and file:
        raise BadSetting(f"{VARIABLE} and {FILE_VARIABLE} are both set; set one of them")
    if file:
        return _digest(_read(Path(file)), f"from {FILE_VARIABLE}"), f"from {FILE_VARIABLE}"
    return (_digest(token, f"from {VARIABLE}"), f"from {VARIABLE}") if token else None


async def shared_root(store: RootStore, file: Path) -> tuple[bytes, str]:
    """Set the store's root token if it has none.

    Returns the digest for this server to use, b"" where the store's holds, and where the token is.

    Raises: BadSetting, and Unavailable when the store cannot be used: until it can be, a token that somebody
    may have replaced must not be valid.
    """
    stored = await store.get()
    if stored is None:
        token, is_new = _kept_or_new(file)
        sha256 = _digest(token, str(file))
        try:
            stored = await store.set_if_absent(sha256.hex())
        except Unavailable as error:
            if error.reason != Unavailable.reason:
                raise  # it may have been set
            log.warning(
                "root token not stored, it is valid on this server only reason=%r", str(error)
            )
            return sha256, str(file)
        if stored != sha256.hex() and is_new:
            _forget(file)
    return b"", str(file) if _keeps(file, stored) else ELSEWHERE


def _keeps(file: Path, sha256: str) -> bool:
    """Return whether a file has the token of a digest.

    Raises: BadSetting.
    """
    if not file.exists() and not file.is_symlink():
        return False
    return hmac.compare_digest(_digest(_read(file), str(file)).hex(), sha256)


def _kept_or_new(file: Path) -> tuple[str, bool]:
    """Return the token in a file, and whether it was just made."""
    if not file.exists() and not file.is_symlink():
        token, _ = new_token()
        if _keep(file, token):
            return token, True
    return _read(file), False


def new_token() -> tuple[str, str]:
    """Return a new root token and its SHA-256 in hexadecimal."""
    token = mint(ACCESS_TOKEN_PREFIX, secrets.token_bytes(RANDOM_BYTES))
    return token, _digest(token, "new").hex()


def replace_kept(file: Path, token: str) -> None:
    """Replace the stored root token.

    Raises: BadSetting.
    """
    file.unlink(missing_ok=True)
    _keep(file, token)


def _digest(token: str, origin: str) -> bytes:
    sha256 = digest(token)
    if len(token) < _SHORTEST or sha256 is None or has_bad_checksum(token):
        raise BadSetting(
            f"the root token ({origin}) must be of 32 to 1,024 characters, and not look like a "
            "damaged token of ipgate"
        )
    return sha256


def _read(file: Path) -> str:
    """Return the token in a file.

    Raises: BadSetting.
    """
    try:
        check_private(file)
        with file.open("rb") as source:
            return source.read(_MAX_BYTES).decode().strip()
    except FileNotFoundError as error:
        what = "is a symbolic link to nothing" if file.is_symlink() else "does not exist"
        raise BadSetting(
            f"the root token's file {file} {what}; write a token into it, or do without it ({FILE_VARIABLE})"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise BadSetting(f"the root token cannot be read from {file}: {why}") from error


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)


def _keep(file: Path, token: str) -> bool:
    """Write a token to a new file.

    False if another process was quicker.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Never readable by others, and never half a token under its name.
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as writing:
            writing.write(token + "\n")
        try:
            os.link(draft, file)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True
    except OSError as error:
        raise BadSetting(f"the root token cannot be kept in {file}: {error.strerror}") from error
