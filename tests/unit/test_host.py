"""What a server needs of its machine is missed with a reason, before anything is started."""

import pytest
from ipgate.app import host
from ipgate.settings import BadSetting


def test_without_a_temporary_directory_the_start_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that needs one says what to set, instead of trying again without end."""

    def gettempdir() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(host, "gettempdir", gettempdir)
    with pytest.raises(BadSetting, match="set TMPDIR"):
        host.check_temporary_directory()
