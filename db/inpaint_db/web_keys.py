"""The secret of the web pages: random, one for each database, so that every web server of a deployment has the same."""

from __future__ import annotations

import secrets

from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.orm import Mapped, mapped_column

from inpaint_db.base import Base, Now

_BYTES = 32


class WebKey(Base):
    """What operators' cookies are signed with: without it nobody can make one, whatever password they try."""

    __tablename__ = "web_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[bytes]
    created_at: Mapped[Now]

    __table_args__ = (
        CheckConstraint("id = 1", name="only_one"),
        CheckConstraint("octet_length(secret) >= 32", name="long_enough"),
    )


def web_key(connection: Connection) -> bytes:
    """The secret, 32 bytes; drawn the first time that anybody asks. Delete the row to end all operators' cookies."""
    connection.execute(
        text("INSERT INTO web_key (id, secret) VALUES (1, :secret) ON CONFLICT (id) DO NOTHING"),
        {"secret": secrets.token_bytes(_BYTES)},
    )
    return bytes(connection.execute(text("SELECT secret FROM web_key WHERE id = 1")).scalar_one())
