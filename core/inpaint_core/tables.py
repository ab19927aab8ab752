"""How tables of text are separated, as people save them."""

from __future__ import annotations


def delimiter(header: str, suffix: str = "") -> str:
    """What stands between the cells of a table whose first line is `header`, in a file whose name ends in `suffix`.

    A comma if the header has one, else a semicolon, as spreadsheets of half the world write, else a tab.
    """
    if suffix.lower() == ".tsv":
        return "\t"
    return next((mark for mark in ",;\t" if mark in header), ",")
