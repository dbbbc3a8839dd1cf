"""Where a request has its API key, for guards and gateways alike."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.key_source import KeySources


def found(sources: str, query: str = "", **headers: Sequence[str]) -> str:
    values = {name.replace("_", "-"): list(value) for name, value in headers.items()}
    return KeySources(sources).find(lambda name: values.get(name, []), query)


@pytest.mark.parametrize(
    ("sources", "query", "headers", "key"),
    [
        ("x-api-key", "", {"x_api_key": ["k"]}, "k"),
        ("X-Api-Key", "", {"x_api_key": [" k "]}, "k"),
        ("x-api-key", "", {"x_api_key": ["k", "k"]}, ""),
        ("x-api-key", "", {"x_api_key": [""]}, ""),
        ("x-api-key", "", {"authorization": ["Bearer k"]}, ""),
        ("authorization", "", {"authorization": ["Bearer k"]}, "k"),
        ("authorization", "", {"authorization": ["bEARER   k"]}, "k"),
        ("authorization", "", {"authorization": ["Basic k"]}, ""),
        ("authorization", "", {"authorization": ["Bearer"]}, ""),
        ("authorization", "", {"authorization": ["Bearer "]}, ""),
        ("authorization", "", {"authorization": ["Bearer a b"]}, ""),
        ("authorization", "", {"authorization": ["Bearerk"]}, ""),
        ("?api_key", "api_key=k", {}, "k"),
        ("?api_key", "a=b&api_key=a%2Bb", {}, "a+b"),
        ("?api_key", "api_key=k&api_key=k", {}, ""),
        ("?api_key", "api_key=", {}, ""),
        ("?api_key", "API_KEY=k", {}, ""),
        ("?authorization", "authorization=k", {}, "k"),
        ("?api_key", "&".join(["a=b"] * 200 + ["api_key=k"]), {}, ""),
        ("x-api-key, authorization", "", {"authorization": ["Bearer k"]}, "k"),
        ("x-api-key, authorization", "", {"x_api_key": ["a"], "authorization": ["Bearer b"]}, "a"),
        ("x-api-key, authorization", "", {"x_api_key": [""], "authorization": ["Bearer b"]}, ""),
        ("x-api-key,?k", "k=q", {}, "q"),
    ],
)
def test_a_key_is_where_the_sources_say(
    sources: str, query: str, headers: dict[str, list[str]], key: str
) -> None:
    """The first source that is there counts, and only if it has one key."""
    assert found(sources, query, **headers) == key


@pytest.mark.parametrize("text", ["", " ", "x-api-key,", "?", "x api", "x-api-key:", "ключ"])
def test_what_names_no_source_is_rejected(text: str) -> None:
    """With the text and the remedy."""
    with pytest.raises(ValueError, match="is not the name of a header; use one as in x-api-key"):
        KeySources(text)


@given(st.text(), st.lists(st.text()), st.lists(st.text()))
def test_any_request_has_a_key_or_none(query: str, keys: list[str], tokens: list[str]) -> None:
    """Nothing raises."""
    key = found("x-api-key,authorization,?k", query, x_api_key=keys, authorization=tokens)
    assert isinstance(key, str)


def test_the_challenge_names_the_scheme() -> None:
    """A 401 must have one."""
    assert KeySources("x-api-key").challenge() == "ApiKey"
    assert KeySources("x-api-key,Authorization").challenge() == "Bearer"
