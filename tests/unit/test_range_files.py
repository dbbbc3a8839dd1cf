"""Files of ranges are read whole and rightly, or rejected with the place and what to do."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.range_entries import BadFile, Entry
from ipgate.domain.range_files import read_ranges, split_ipv6


def texts(data: str | bytes, **options: Any) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [entry.text for entry in read_ranges(raw, **options).entries]


def rejection(data: str | bytes, **options: Any) -> str:
    with pytest.raises(BadFile) as error:
        texts(data, **options)
    return str(error.value)


def test_lines_have_comments_blanks_and_a_comma_at_the_end() -> None:
    """What follows a # is a note; a trailing comma or semicolon, and any kind of line end, is fine."""
    data = "# offices\r\n192.0.2.1, # HQ\r\n\n 192.0.2.0/24;\r198.51.100.7"
    assert read_ranges(data.encode()).entries == [
        Entry("line 2", "192.0.2.1", "HQ"),
        Entry("line 4", "192.0.2.0/24"),
        Entry("line 5", "198.51.100.7"),
    ]


OPEN_QUOTE = 'ip,note\n192.0.2.1,HQ\n192.0.2.2,"rack 19\n192.0.2.3,lab\n'


@pytest.mark.parametrize(
    "data", [OPEN_QUOTE, OPEN_QUOTE + "192.0.2.9,x\n" * 30_000, OPEN_QUOTE + '192.0.2.4,5"\n']
)
def test_an_open_quote_swallows_no_rows(data: str) -> None:
    """The line where the quote opens is named, whether or not another quote comes later."""
    assert "line 3 opens a quote" in rejection(data, column="ip")


@pytest.mark.parametrize(
    ("data", "column", "said"),
    [
        ("ip,ip\n192.0.2.1,192.0.2.2\n", "ip", "column 'ip' occurs twice"),
        ("IP, ip\n192.0.2.1,192.0.2.2\n", "Ip", "column 'Ip' occurs twice"),
        ("a,b\n1,2\n", "ip", "has no column 'ip'; its columns are: 'a', 'b'"),
        ("192.0.2.0/24,HQ\n192.0.2.1,lab\n", "192.0.2.0/24", "give the number of the column"),
        ("192.0.2.0/24,HQ\n", "HQ", "give the number of the column"),
        ("2001:db8::/32,HQ\n", "HQ", "give the number of the column"),
        ("a,ip,note\nx,192.0.2.1,a,b\n", "ip", "line 2 has 4 columns, and the first row has 3"),
        ("name,ip\nKoeln, DE,192.0.2.1\n", "ip", "line 2 has 3 columns"),
        ("note,ip\nHQ\n", "ip", "line 2 has 1 column, and the first row has 2"),
        ("a,b,ip\nx,192.0.2.1\n", "ip", "line 2 has 2 columns, and the first row has 3"),
        ("ip,note\n192.0.2.1,192.0.2.2,x\n", "ip", "line 2 has 3 columns"),
        ("ip\n192.0.2.1,192.0.2.2\n", "ip", "line 2 has 2 columns"),
        ("id,ip\n#12,192.0.2.1\n13,192.0.2.2\n", "ip", "line 2 begins with # and has an address"),
        ('note,ip\n"a\nb",192.0.2.1\n', "ip", "line 2 opens a quote"),
        ("ip\u2028192.0.2.1\n192.0.2.2\n", "1", "line 1 has a line-breaking (U+2028)"),
        ("ip,note\n,HQ\n", "ip", "line 2 has nothing in column 1"),
        ("192.0.2.1,x\n", "0", "counted from 1"),
        ("192.0.2.1,x\n", "3", "line 1 has no column 3"),
        ('ip,note\n192.0.2.1,"a"b\n', "ip", "line 2 is not CSV"),
        ("", "ip", "is empty"),
        ("sep=;\n", "ip", "is empty"),
        ("ip\n192.0.2.1\0\n", "ip", "line 2 has a NUL"),
    ],
)
def test_a_csv_file_that_is_not_clear_is_rejected(data: str, column: str, said: str) -> None:
    """The message names the line or the column, and what to do."""
    assert said in rejection(data, column=column)


@pytest.mark.parametrize(
    ("data", "column", "detected"),
    [
        ("ip;note\n192.0.2.1;HQ, 2nd floor\n192.0.2.2;lab\n", "ip", "';'"),
        ("ip\tnote\n192.0.2.1\tHQ\n192.0.2.2\tlab\n", "ip", "tab"),
        ("sep=;\nip;note\n192.0.2.1;HQ\n192.0.2.2;lab\n", "ip", "';'"),
        ("sep=|\nip|note\n192.0.2.1|HQ\n192.0.2.2|lab\n", "ip", "'|'"),
        ("note, IP \n,,\nHQ,192.0.2.1\n , \n\nlab, 192.0.2.2\n", "ip", "' IP '".strip()),
        ("# geofeed\n192.0.2.1,US,US-AL,,\n# more\n192.0.2.2,DE,,,\n", "1", "column 1"),
        ('"note; long","ip"\n"a ""b"", c",192.0.2.1\n"d","192.0.2.2"\n', "ip", "','"),
    ],
)
def test_exports_are_read_as_they_come(data: str, column: str, detected: str) -> None:
    """Separators, blank rows, comments, spaces and the case of the header; what was found is reported."""
    assert texts(data, column=column) == ["192.0.2.1", "192.0.2.2"]
    if "IP" not in detected:
        assert detected in read_ranges(data.encode(), column=column).detected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    """Files of UTF-16 with its mark are simply read, and so is one of UTF-8 with a mark."""
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    data = (mark + "ip,Ort\n192.0.2.1,Köln\n").encode(encoding)
    assert texts(data, column="ip") == ["192.0.2.1"]
    assert ("UTF-16" in read_ranges(data, column="ip").detected) == encoding.startswith("utf-16")


def test_another_encoding_is_named_by_its_line() -> None:
    """Windows-1252 and UTF-16 without a mark are not guessed at."""
    assert "line 2 has a byte that is not UTF-8" in rejection("192.0.2.1\nKöln\n".encode("cp1252"))
    assert "line 1 has a NUL" in rejection("192.0.2.1\n".encode("utf-16-le"))
    assert "line 1 has a byte that is not UTF-16" in rejection(b"\xff\xfe1")


AWS = {
    "syncToken": "1",
    "prefixes": [
        {"ip_prefix": "192.0.2.0/24", "region": "r", "service": "AMAZON"},
        {"ip_prefix": "192.0.2.0/24", "region": "r", "service": "S3"},
        {"ip_prefix": "198.51.100.0/24", "region": "r", "service": "EC2"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/32", "region": "r", "service": "S3"}],
}
GITHUB = {
    "verifiable_password_authentication": False,
    "ssh_keys": ["ssh-ed25519 AAAA"],
    "hooks": ["192.0.2.0/24", "2001:db8::/32"],
    "web": ["192.0.2.0/24", "198.51.100.1/32"],
    "domains": {"website": ["*.github.com"]},
}


def test_published_lists_are_read_by_their_format() -> None:
    """Whole, each range once, or one service or list of them."""
    aws, github = json.dumps(AWS), json.dumps(GITHUB)
    assert texts(aws, form="aws") == ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
    assert texts(aws, form="aws", column="S3") == ["192.0.2.0/24", "2001:db8::/32"]
    assert texts(github, form="github") == ["192.0.2.0/24", "2001:db8::/32", "198.51.100.1/32"]
    assert texts(github, form="github", column="web") == ["192.0.2.0/24", "198.51.100.1/32"]
    damaged = json.dumps(GITHUB | {"hooks": ["192.0.2.1/24", "192.0.2.0/24"]})
    assert texts(damaged, form="github", column="hooks") == ["192.0.2.1/24", "192.0.2.0/24"]
    assert read_ranges(aws.encode(), form="aws").entries[0].where == "prefixes[0]"


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (json.dumps(AWS), {}, "is JSON; give --format aws or --format github"),
        (json.dumps(["192.0.2.1"]), {}, "is JSON"),
        (json.dumps(AWS), {"form": "aws", "column": "X"}, "its services are: AMAZON, EC2, S3"),
        (json.dumps(GITHUB), {"form": "github", "column": "x"}, "its lists are: hooks, web"),
        (json.dumps(GITHUB), {"form": "aws"}, "not the list of AWS"),
        (json.dumps(AWS), {"form": "github"}, "not the meta document"),
        ('{"prefixes": [], "ipv6_prefixes": null}', {"form": "aws"}, "'ipv6_prefixes' is no list"),
        ('{"prefixes": [{}]}', {"form": "aws"}, "prefixes[0] has no 'ip_prefix'"),
        ('{"hooks": ["192.0.2.1"], "hooks": []}', {"form": "github"}, "'hooks' occurs twice"),
        ('{"hooks": ["192.0.2.1"]', {"form": "github"}, "is not JSON"),
        ("[" * 100_000, {"form": "github"}, "is not JSON"),
        ("192.0.2.1\n", {"form": "aws"}, "is not JSON"),
    ],
)
def test_other_json_is_rejected(data: str, options: dict[str, str], said: str) -> None:
    """One line says what it is, and what to do."""
    assert said in rejection(data, **options)


def test_allow_lines_of_nginx_are_read() -> None:
    """`allow` lines, comments, and a `deny all` that says what a list means anyhow."""
    data = (
        "# office\nallow 192.0.2.0/24; allow 2001:db8::/32;\n\n  allow 192.0.2.1; # HQ\ndeny all;\n"
    )
    assert texts(data, form="nginx") == ["192.0.2.0/24", "2001:db8::/32", "192.0.2.1"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("deny 192.0.2.1;", "an allow list cannot say"),
        ("allow all;", "an allow list cannot say"),
        ("allow unix:;", "an allow list cannot say"),
        ("allow 192.0.2.1", "does not end with ';'"),
        ("satisfy any;", "not an allow line"),
        ("allow 192.0.2.1 192.0.2.2;", "not an allow line"),
        ("deny all; allow 192.0.2.1;", "comes after 'deny all'"),
    ],
)
def test_what_an_allow_list_cannot_say_is_not_passed_over(line: str, said: str) -> None:
    """A `deny` before an `allow`, or `allow all`, would give or take access if it were left out."""
    message = rejection(f"allow 10.0.0.1;\n{line}\nallow 192.0.2.0/24;\n", form="nginx")
    assert message.startswith("line 2 ")
    assert said in message


def test_ipv6_is_left_out_only_where_it_is_ipv6() -> None:
    """Mapped addresses, and what only looks like IPv6, stay to be reported."""
    data = "192.0.2.1\n2001:db8::/32\n::1\n::ffff:192.0.2.1\n2001:db8::/200\n192.0.2.1:443\n2001:db8::/²\n"
    kept, left_out = split_ipv6(read_ranges(data.encode()).entries)
    assert left_out == 2
    assert [entry.text for entry in kept] == [
        "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::/200", "192.0.2.1:443", "2001:db8::/²",
    ]  # fmt: skip


CELLS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85"),
    max_size=8,
)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from(",;\t"))
def test_every_row_of_a_csv_file_is_read(notes: list[tuple[str, str]], delimiter: str) -> None:
    """Whatever the notes around them are, the ranges come out one for each row."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(["before", "range", "after"])
    wanted = [f"192.0.2.{index}" for index in range(len(notes))]
    for (before, after), text in zip(notes, wanted, strict=True):
        # A row that begins with # is a comment.
        writer.writerow([f"x{before}", text, after])
    assert texts(file.getvalue(), column="range") == wanted


@given(
    st.binary(max_size=80),
    st.sampled_from(["", "1", "ip"]),
    st.sampled_from(["auto", "aws", "github", "nginx"]),
)
def test_any_bytes_are_read_or_rejected(data: bytes, column: str, form: str) -> None:
    """No input fails in another way, and nothing comes out that is not in it."""
    try:
        result = read_ranges(data, form=form, column=column)
    except BadFile as error:
        assert str(error).isprintable()
        return
    for entry in result.entries:
        assert entry.text.strip() == entry.text != ""
