"""Statements about raters: who may rate, by a link of their own that nobody can read out of the database."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from sqlalchemy import Connection, text

#: Bytes of chance in a token: nobody guesses one, so that its hash needs no salt.
_TOKEN_BYTES = 32
MAX_NAME = 80
#: An hour: who asks for less has mistaken days for something else.
_FEWEST_DAYS = 1 / 24
#: The rater under whom published stars are entered.
PUBLISHED_REVIEW = "published review"


@dataclass(frozen=True, slots=True)
class RaterRow:
    """A rater. `token_expires_at` None: has no link. See `inpaint_db.ratings.Rater`."""

    id: UUID
    name: str
    kind: str
    token_expires_at: datetime | None
    revoked_at: datetime | None
    note: str
    created_at: datetime


_COLUMNS = "id, name, kind, token_expires_at, revoked_at, note, created_at"


def make_rater(connection: Connection, name: str, *, days: float = 30, note: str = "") -> tuple[RaterRow, str]:
    """A person who may rate for so many days, and the token of the link, which is shown this once.

    A name that is there already gets a new token, and the old one ends. `InvalidRequest` (`field` "name" or "days").
    """
    name = _checked(name)
    if not _FEWEST_DAYS <= days <= 3650:
        raise InvalidRequest(
            f"A link cannot be valid for {days:g} days; give 0.042 (an hour) to 3650 (ten years).", field="days"
        )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    values = {"id": new_id(), "name": name, "sha256": _sha256(token), "valid": timedelta(days=days), "note": note}
    row = connection.execute(
        text(f"""
        INSERT INTO rater (id, name, kind, token_sha256, token_expires_at, note)
        VALUES (:id, :name, 'person', :sha256, now() + :valid, :note)
        ON CONFLICT (name) DO UPDATE
           SET token_sha256 = excluded.token_sha256, token_expires_at = excluded.token_expires_at, revoked_at = NULL,
               note = CASE WHEN excluded.note = '' THEN rater.note ELSE excluded.note END
         WHERE rater.kind = 'person'
        RETURNING {_COLUMNS}"""),  # noqa: S608
        values,
    ).one_or_none()
    if row is None:
        raise InvalidRequest(f"The name {name!r} stands for imported stars. Give the person another.", field="name")
    return RaterRow(**row._mapping), token


def imported_rater(connection: Connection, name: str, *, note: str = "") -> RaterRow:
    """The rater of that name whose stars were given elsewhere, made if there is none. `InvalidRequest` for a person."""
    name = _checked(name)
    connection.execute(
        text("""
        INSERT INTO rater (id, name, kind, note) VALUES (:id, :name, 'imported', :note)
        ON CONFLICT (name) DO NOTHING"""),
        {"id": new_id(), "name": name, "note": note},
    )
    row = find_rater(connection, name)
    if row.kind != "imported":
        raise InvalidRequest(
            f"{name!r} is a person who rates here; imported stars need a name of their own, e.g. '{name} (imported)'.",
            field="rater",
        )
    return row


def find_rater(connection: Connection, name: str) -> RaterRow:
    """A rater by name; `InvalidRequest` (`field` "rater") with the names that there are."""
    every = list_raters(connection)
    for row in every:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in every[:10]) or "nobody yet"
    raise InvalidRequest(f"There is no rater {name!r}; there are: {known}.", field="rater")


def find_rater_by_token(connection: Connection, token: str) -> RaterRow:
    """The rater whose link it is. `InvalidRequest` (`field` "token"): unknown, replaced, revoked or expired."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS}, token_expires_at <= now() AS expired FROM rater WHERE token_sha256 = :sha256"),  # noqa: S608
        {"sha256": _sha256(token)},
    ).one_or_none()
    again = "Ask whoever sent it for a new one."
    if row is None:
        raise InvalidRequest(f"This link is not known, or was replaced by a newer one. {again}", field="token")
    if row.revoked_at is not None:
        raise InvalidRequest(f"This link was withdrawn. {again}", field="token")
    if row.expired:
        raise InvalidRequest(f"This link was valid until {row.token_expires_at:%Y-%m-%d}. {again}", field="token")
    return RaterRow(**{name: value for name, value in row._mapping.items() if name != "expired"})


def revoke(connection: Connection, name: str) -> RaterRow:
    """Withdraw a rater's link; what was rated stays. `InvalidRequest` if there is none of the name."""
    there = find_rater(connection, name)
    row = connection.execute(
        text(f"UPDATE rater SET revoked_at = coalesce(revoked_at, now()) WHERE id = :id RETURNING {_COLUMNS}"),  # noqa: S608
        {"id": there.id},
    ).one()
    return RaterRow(**row._mapping)


def list_raters(connection: Connection) -> list[RaterRow]:
    """All raters, the newest first."""
    rows = connection.execute(text(f"SELECT {_COLUMNS} FROM rater ORDER BY created_at DESC, id DESC"))  # noqa: S608
    return [RaterRow(**row._mapping) for row in rows]


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _checked(name: str) -> str:
    found = " ".join(name.split())
    if not 1 <= len(found) <= MAX_NAME or not found.isprintable():
        raise InvalidRequest(f"A rater's name is one line of 1 to {MAX_NAME} characters.", field="name")
    return found
