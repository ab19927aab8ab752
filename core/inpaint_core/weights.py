"""Where a part of a model comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Weights(BaseModel):
    """A repository of the Hugging Face hub, or a part of one. Only safetensors are ever read from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", description="Owner and name on the hub")]
    revision: Annotated[
        str, Field(min_length=1, description="Commit, tag or branch; pin a commit and the weights never change")
    ] = "main"
    variant: Annotated[str | None, Field(description="As in *.fp16.safetensors")] = None
    #: Folders of it that are needed; all, if none is named.
    folders: tuple[str, ...] = ()
    #: One file of it, such as a LoRA's.
    file: str | None = None
    needed_for: Annotated[
        Literal["reference", "control"] | None,
        Field(description="Read when the first job comes that has such an image; absent: always needed"),
    ] = None
    gated: Annotated[bool, Field(description="Its licence has to be accepted on its page, with an account")] = False
    licence: str | None = None
    size_gb: Annotated[float | None, Field(gt=0, description="What is downloaded, 10^9 bytes")] = None

    @model_validator(mode="after")
    def _stays_inside(self) -> Weights:
        for name in (self.repo, self.revision, *self.folders, self.file or ""):
            if name.startswith("/") or "\\" in name or any(part in (".", "..") for part in name.split("/")):
                raise ValueError(f"{name!r} leads out of the folder of weights")
        return self

    @model_validator(mode="after")
    def _reads_no_pickle(self) -> Weights:
        if self.file is not None and not self.file.endswith(".safetensors"):
            raise ValueError("file must be .safetensors: other formats can run code when they are read")
        return self

    @property
    def page(self) -> str:
        """Where a person reads about it and accepts its licence."""
        return f"https://huggingface.co/{self.repo}"
