"""What separates the cells of a table."""

from __future__ import annotations

import pytest
from inpaint_core.tables import delimiter


@pytest.mark.parametrize(
    ("header", "suffix", "mark"),
    [
        ("source,mask", ".csv", ","),
        ("source;mask", ".csv", ";"),
        ("source\tmask", ".csv", "\t"),
        ("source,mask;prompt", ".csv", ","),
        ("source;mask\tprompt", "", ";"),
        ("source,mask", ".TSV", "\t"),
        ("source", "", ","),
        ("", "", ","),
    ],
)
def test_a_table_is_separated_as_its_header_is(header: str, suffix: str, mark: str) -> None:
    assert delimiter(header, suffix) == mark
