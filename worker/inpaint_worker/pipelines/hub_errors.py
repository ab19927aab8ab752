"""What goes wrong between a worker and the Hugging Face hub, in words that say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from inpaint_core.card import ModelCard
from inpaint_core.errors import WeightsGated, WeightsMissing
from inpaint_core.weights import Weights

#: The HTTP libraries of the hub's client, which changed twice; what they raise is no OSError.
_HTTP = ("httpx", "httpx2", "requests", "urllib3")


@contextlib.contextmanager
def hub_errors(card: ModelCard, weights: Weights) -> Iterator[None]:
    """Errors of the hub's client while it fetches `weights` of `card`, as the fleet's. No token is ever in them."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise WeightsGated(
            f"{card.name} needs {weights.repo}, whose licence ({weights.licence or 'see its page'}) has to be "
            f"accepted on {weights.page} with your account. Then set HF_TOKEN to a token of it, and run: "
            f"inpaint models pull {card.name}",
            repo=weights.repo,
        ) from None
    except RepositoryNotFoundError:
        raise WeightsMissing(
            f"{card.name} needs {weights.repo}, which the hub does not show. If it is gated or private, set HF_TOKEN "
            f"to a valid token; if it has moved, name another repository in your catalogue (INPAINT_CATALOGUE): "
            f"{weights.page}",
            repo=weights.repo,
        ) from None
    except RevisionNotFoundError:
        raise WeightsMissing(
            f"{weights.repo} has no revision {weights.revision!r}. Name a commit, tag or branch of it in your "
            f"catalogue (INPAINT_CATALOGUE): {weights.page}/commits/main",
            repo=weights.repo,
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, ConnectionError, TimeoutError) as error:
        raise _away(card, weights, error) from None
    except OSError as error:
        if error.errno is None:
            raise _away(card, weights, error) from None
        size = f" It takes {weights.size_gb:g} GB." if weights.size_gb else ""
        raise WeightsMissing(
            f"{weights.repo} cannot be written to the disk ({error.strerror}: {error.filename}).{size} Make room, or "
            "set HF_HOME or --to to a folder that has it.",
            repo=weights.repo,
        ) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in _HTTP:
            raise
        raise _away(card, weights, error) from None


def _away(card: ModelCard, weights: Weights, error: Exception) -> WeightsMissing:
    return WeightsMissing(
        f"{card.name} needs {weights.repo}, which is neither in the cache nor to be had from the hub now "
        f"({type(error).__name__}). Where there is a network, run: inpaint models pull {card.name} --to FOLDER, "
        "and set INPAINT_WEIGHTS_DIR to a copy of that folder.",
        repo=weights.repo,
    )
