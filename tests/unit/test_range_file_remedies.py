"""What the message about a wrong file of ranges says to do works when it is done to the letter."""

from typing import Any

import pytest
from ipgate.domain.range_entries import BadFile
from ipgate.domain.range_files import read_ranges

COLUMN = {"column": "ip"}
AWS = b'{"prefixes": [{"ip_prefix": "192.0.2.0/24", "service": "S3"}]}'


@pytest.mark.parametrize(
    ("data", "options", "remedy", "fixed", "then"),
    [
        (b"x,y\n192.0.2.1,a\n", COLUMN, "its columns are: 'x', 'y'", None, {"column": "x"}),
        (b"ip,ip\n192.0.2.1,a\n", COLUMN, "rename one", b"ip,ip 2\n192.0.2.1,a\n", COLUMN),
        (b"192.0.2.1,HQ\n", {"column": "HQ"}, "as in --column 1", None, {"column": "1"}),
        (b"192.0.2.1,HQ\n", {"column": "0"}, "columns are counted from 1", None, {"column": "1"}),
        (
            b"id,ip\n#12,192.0.2.1\n",
            COLUMN,
            "put quotes around its first field",
            b'id,ip\n"#12",192.0.2.1\n',
            COLUMN,
        ),
        (
            b'ip,x\n192.0.2.1,"a\nb"\n',
            COLUMN,
            "close it, and remove line breaks from the field",
            b'ip,x\n192.0.2.1,"a b"\n',
            COLUMN,
        ),
        (
            b'ip,x\n192.0.2.1,"a"b\n',
            COLUMN,
            "put quotes around whole fields",
            b'ip,x\n192.0.2.1,"ab"\n',
            COLUMN,
        ),
        (
            b"x,ip\na, b,192.0.2.1\n",
            COLUMN,
            "put quotes around a field that has the separator in it",
            b'x,ip\n"a, b",192.0.2.1\n',
            COLUMN,
        ),
        (b"ip,x,y\n192.0.2.1\n", COLUMN, "fill it up", b"ip,x,y\n192.0.2.1,,\n", COLUMN),
        (b"x,ip\na,\nb,192.0.2.1\n", COLUMN, "remove the line", b"x,ip\nb,192.0.2.1\n", COLUMN),
        (b"allow 192.0.2.1;\n", {"form": "nginx", **COLUMN}, "leave --column out", None, None),
        (AWS, {}, "give --format aws", None, {"form": "aws"}),
        (AWS, {"form": "aws", "column": "x"}, "its services are: S3", None, {"column": "S3"}),
        (b"192.0.2.1 # K\xf6ln\n", {}, "save the file as UTF-8", "192.0.2.1 # Köln\n", {}),
        (b"192.0.2.1\0\n", {}, "remove it", b"192.0.2.1\n", {}),
        (
            b"satisfy any;\nallow 192.0.2.1;\n",
            {"form": "nginx"},
            "remove it",
            b"allow 192.0.2.1;\n",
            {"form": "nginx"},
        ),
        (
            b"allow 192.0.2.1;\ndeny all;\nallow 192.0.2.2;\n",
            {"form": "nginx"},
            "remove it",
            b"allow 192.0.2.1;\ndeny all;\n",
            {"form": "nginx"},
        ),
        (
            b"deny 192.0.2.9;\nallow 192.0.2.1;\n",
            {"form": "nginx"},
            "remove it, and narrow the ranges if need be",
            b"allow 192.0.2.1;\n",
            {"form": "nginx"},
        ),
    ],
)
def test_the_remedy_for_a_wrong_file_works(
    data: bytes,
    options: dict[str, Any],
    remedy: str,
    fixed: bytes | str | None,
    then: dict[str, Any] | None,
) -> None:
    """The file is rejected with the remedy in its message, and read once it is followed."""
    with pytest.raises(BadFile) as rejected:
        read_ranges(data, **options)
    assert remedy in str(rejected.value)
    raw = fixed.encode() if isinstance(fixed, str) else fixed or data
    if then is None:
        then = {name: value for name, value in options.items() if name != "column"}
    elif then.keys() == {"column"}:
        then = options | then
    assert len(read_ranges(raw, **then).entries) == 1
