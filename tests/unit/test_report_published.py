"""The review's numbers as this package holds them."""

from __future__ import annotations

import pytest
from inpaint_benchmark.published import published_names, read_publication
from inpaint_benchmark.published.publication import PublishedModel
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InvalidRequest

REVIEW = read_publication("review")


def test_all_nine_models_are_there_with_our_names_of_them() -> None:
    ours = {card.review_name: card.name for card in load_catalogue().values() if card.review_name}
    assert {model.model: model.card for model in REVIEW.models} == ours
    assert len(REVIEW.models) == 9


@pytest.mark.parametrize("model", REVIEW.models, ids=lambda model: model.model)
def test_cost_is_time_at_the_price_of_the_card_except_where_an_image_has_a_price(model: PublishedModel) -> None:
    price = REVIEW.usd_per_hour_of(model)
    if price is None:
        assert (model.model, model.cost_per_1k_usd, REVIEW.device_of(model)) == ("DALL-E 2", 20, None)
        return
    assert model.inference_s is not None
    assert model.cost_per_1k_usd == pytest.approx(model.inference_s * price / 3.6, abs=0.05)
    assert REVIEW.device_of(model) == "NVIDIA A100 40GB"


def test_rows_of_both_tables_belong_to_each_other() -> None:
    assert sorted(model.facts.position for model in REVIEW.models) == list(range(1, 10))


def test_an_unknown_publication_is_refused_with_those_that_there_are() -> None:
    assert published_names() == ("review",)
    with pytest.raises(InvalidRequest, match=r"no publication 'revue': did you mean review\?"):
        read_publication("revue")
