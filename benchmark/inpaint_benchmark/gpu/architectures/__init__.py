"""The architectures of the models that diffusers runs, as data: each part of each repository that a card names.

The configurations are those that are published beside the weights; the weights' sizes follow from them, and tests
compare those with what the catalogue says. Null values and what nobody reads are left out.
"""

from inpaint_benchmark.gpu.architectures.reading import Part, Repository, part, repositories, repository

__all__ = ["Part", "Repository", "part", "repositories", "repository"]
