"""Numbers that others have published, one JSON file for each publication, to be shown beside our own."""

from inpaint_benchmark.published.importing import ensure_published, import_published
from inpaint_benchmark.published.publication import Publication, published_names, read_publication
from inpaint_benchmark.published.tables import evaluation_table, models_table

__all__ = [
    "Publication",
    "ensure_published",
    "evaluation_table",
    "import_published",
    "models_table",
    "published_names",
    "read_publication",
]
