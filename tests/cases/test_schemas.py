"""The cases have the form that their JSON schemas describe."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", ["authorize", "admin", "forwarded"])
def test_every_case_has_the_form_of_its_schema(kind: str) -> None:
    """A misspelled word would otherwise check nothing."""
    validator = jsonschema.Draft202012Validator(
        json.loads((HERE / f"{kind}.schema.json").read_text())
    )
    paths = sorted((HERE / kind).glob("*.yaml"))
    assert paths
    for path in paths:
        errors = [
            error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))
        ]
        assert errors == [], path.name
