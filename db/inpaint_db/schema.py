"""All mapped classes in one place, so that the metadata is complete wherever it is used."""

from inpaint_db.base import Base
from inpaint_db.datasets import Dataset, DatasetVersion, Sample
from inpaint_db.environments import Environment, Model, Price, Worker
from inpaint_db.jobs import Attempt, Job
from inpaint_db.measures import Measure, Metric
from inpaint_db.outputs import Image, Output
from inpaint_db.ratings import Criterion, Rater, Rating, RatingEvent, RatingItem, RatingSession, Rubric
from inpaint_db.runs import ModelVersion, Published, Run, Trial
from inpaint_db.web_keys import WebKey

metadata = Base.metadata

__all__ = [
    "Attempt",
    "Base",
    "Criterion",
    "Dataset",
    "DatasetVersion",
    "Environment",
    "Image",
    "Job",
    "Measure",
    "Metric",
    "Model",
    "ModelVersion",
    "Output",
    "Price",
    "Published",
    "Rater",
    "Rating",
    "RatingEvent",
    "RatingItem",
    "RatingSession",
    "Rubric",
    "Run",
    "Sample",
    "Trial",
    "WebKey",
    "Worker",
    "metadata",
]
