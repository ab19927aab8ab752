"""Wrong settings in words: the name, the value that was found, and the fix."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_core.errors import SettingsInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

#: Names whose value never appears in a message.
_SECRET_WORDS = ("secret", "password", "token", "api_key", "redis_url", "postgres_url")


def explain_validation(error: ValidationError, model: type[BaseModel]) -> SettingsInvalid:
    """One sentence for each wrong setting."""
    sentences = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            near = get_close_matches(name, model.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "see `inpaint config show` for the names"
            sentences.append(f"There is no setting {name}: {hint}")
            continue
        problem = item["msg"].removeprefix("Value error, ")
        if not name:
            sentences.append(problem + ".")
            continue
        # Somebody may have written keys into a URL that takes none, before its host or after its path.
        secret = any(word in name for word in _SECRET_WORDS) or any(sign in str(item["input"]) for sign in "@?")
        found = "(hidden)" if secret else repr(item["input"])
        field = model.model_fields.get(name)
        about = f" ({field.description})" if field and field.description else ""
        sentences.append(f"INPAINT_{name.upper()} is {found}{about}: {problem[:1].lower()}{problem[1:]}.")
    return SettingsInvalid(" ".join(sentences), names=[str(i["loc"][0]) for i in error.errors() if i["loc"]])


def explain_toml(path: Path, problem: str) -> SettingsInvalid:
    """The configuration file cannot be read."""
    return SettingsInvalid(
        f"The configuration file {path} cannot be used: {problem}. Mend it, or point INPAINT_CONFIG elsewhere.",
        path=str(path),
    )
