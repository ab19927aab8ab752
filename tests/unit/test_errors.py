from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Iterator

import pytest
from inpaint_core import errors
from inpaint_core.errors import (
    InpaintError,
    JobNotFound,
    OperatorError,
    RequestError,
    RetryableError,
    ServiceUnavailable,
    StorageUnavailable,
    WorkerMustExit,
)


def every_error(kind: type[InpaintError] = InpaintError) -> Iterator[type[InpaintError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


ERRORS = list(dict.fromkeys(kind for kind in every_error() if kind.__module__ == "inpaint_core.errors"))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_the_docstring_of_an_error_is_its_default_message(kind: type[InpaintError]) -> None:
    message = kind().message
    assert message == str(kind()) == (kind.__doc__ or "").strip()
    assert len(message) > 10


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_in_the_tree_at_the_top_of_the_module(kind: type[InpaintError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


def test_the_root_splits_by_what_happens_next() -> None:
    assert set(InpaintError.__subclasses__()) >= {RetryableError, RequestError, OperatorError, WorkerMustExit}
    roots = [RetryableError, RequestError, OperatorError, WorkerMustExit]
    for kind in ERRORS[1:]:
        assert sum(issubclass(kind, root) for root in roots) == 1


def test_codes_are_stable_words_and_leaves_do_not_share_one() -> None:
    leaves = [kind for kind in ERRORS if not kind.__subclasses__()]
    codes = [kind.code for kind in leaves]
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in codes)
    assert len(set(codes)) == len(codes)


def test_facts_read_as_attributes_and_unknown_ones_do_not_exist() -> None:
    error = JobNotFound("There is no job 7.", job_id="7")
    assert error.job_id == "7"
    assert not hasattr(error, "address")
    with pytest.raises(AttributeError, match="address"):
        _ = error.address


def test_an_error_survives_pickling_and_copying_with_its_facts() -> None:
    error = StorageUnavailable("S3 at host:9 does not answer.", service="S3", address="host:9")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is StorageUnavailable
        assert (twin.message, twin.facts) == (error.message, error.facts)


def test_what_may_be_tried_again_ends_the_command_line_with_another_status_than_what_may_not() -> None:
    assert ServiceUnavailable.exit_code == 4
    assert RequestError.exit_code == 2
    assert {kind.exit_code for kind in ERRORS if issubclass(kind, RetryableError)} == {4}
    assert {kind.exit_code for kind in ERRORS if issubclass(kind, OperatorError)} == {7}
