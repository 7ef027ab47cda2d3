"""Sizes of models that are not there."""

from math import prod

import pytest

from headforcing.headforcing_core.models import FAMILIES, published_sizes, weight_shapes

BILLION = 10**9
# as they are published; the others are Wan 2.1's small model
LARGE = {"longlive2": 5.0, "krea_14b": 14.3}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_was_published_with_a_model_it_can_run(family):
    config = published_sizes(family)
    family.check_config(config)
    numbers = sum(map(prod, weight_shapes(config).values()))
    assert numbers / BILLION == pytest.approx(LARGE.get(family.name, 1.42), rel=0.01)
