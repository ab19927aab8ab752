"""All mapped classes in one place, so that the metadata is complete wherever it is used."""

from inpaint_db.base import Base
from inpaint_db.environments import Environment, Model, Price, Worker
from inpaint_db.jobs import Attempt, Job
from inpaint_db.outputs import Image, Output

metadata = Base.metadata

__all__ = ["Attempt", "Base", "Environment", "Image", "Job", "Model", "Output", "Price", "Worker", "metadata"]
