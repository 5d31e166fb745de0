import numpy as np
import pytest
from refusals import refuse

from mavos_jax.evaluation.results_json import decode_rle, encode_rle


def test_strings_are_those_of_the_official_tool(goldens):
    golden = goldens("rle")
    for name, counts in zip(golden["names"], golden["counts"], strict=True):
        mask = golden[f"mask__{name}"] > 0
        assert encode_rle(mask) == str(counts), name
        np.testing.assert_array_equal(decode_rle(str(counts), mask.shape), mask)


@pytest.mark.parametrize("counts", ["", "S2", "S", "S1o", "`", "0O1", "\x00\x7f"])
def test_runs_that_fill_no_mask(counts):
    refuse("5x7", decode_rle, counts, (5, 7))
