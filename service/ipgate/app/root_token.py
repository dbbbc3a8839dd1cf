"""The bootstrap token: from the environment, else made at the first start and kept in a file."""

import os
import secrets
from pathlib import Path

from ipgate.domain.credential import ACCESS_TOKEN_PREFIX, RANDOM_BYTES, digest, is_damaged, mint
from ipgate.settings import BadSetting

VARIABLE = "IPGATE_ROOT_TOKEN"
_SHORTEST = 32


def root_digest(file: Path) -> tuple[bytes, str]:
    """The SHA-256 of the root token, and where the token comes from. Raises BadSetting."""
    token, origin = os.environ.get(VARIABLE, ""), f"from {VARIABLE}"
    if not token:
        token, origin = _kept(file), str(file)
    found = digest(token)
    if len(token) < _SHORTEST or found is None or is_damaged(token):
        raise BadSetting(
            f"the root token ({origin}) must be of 32 to 1,024 characters, and not look like a "
            "damaged token of ipgate"
        )
    return found, origin


def _kept(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as fault:
        raise BadSetting(f"the root token cannot be read: {fault}") from fault
    token = mint(ACCESS_TOKEN_PREFIX, secrets.token_bytes(RANDOM_BYTES))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Never readable by others, and never half a token under its name.
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as writing:
            writing.write(token + "\n")
        os.link(draft, file)
        draft.unlink()
    except FileExistsError:
        draft.unlink(missing_ok=True)
        return file.read_text().strip()
    except OSError as fault:
        raise BadSetting(f"the root token cannot be kept: {fault}") from fault
    return token
