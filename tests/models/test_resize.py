import jax.numpy as jnp
import numpy as np
import pytest
from whole_maps import resize_cubic, resize_nearest

from mavos_jax.models.resize import MAX_SHORT_EDGE, network_size, resize_bilinear, resize_planes

pytestmark = pytest.mark.newest


@pytest.mark.parametrize(
    ("table", "max_short_edge"), [("size_table", None), ("size_table_capped", MAX_SHORT_EDGE)]
)
def test_network_sizes_match_the_released_table(goldens, table, max_short_edge):
    for height, width, align_corners, scale, *expected in goldens("resize")[table]:
        options = {"align_corners": bool(align_corners), "scale": float(scale)}
        caps = {"max_long_edge": 1040, "max_short_edge": max_short_edge}
        assert list(network_size(int(height), int(width), **options, **caps)) == expected


@pytest.mark.parametrize("size", [(81, 113), (65, 97), (144, 200), (30, 41), (73, 100)])
def test_cubic_matches_opencv(goldens, size):
    expected = goldens("resize")[f"cubic_{size[0]}x{size[1]}"]
    found = resize_cubic(jnp.asarray(goldens("resize")["image"], jnp.float32), size)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("size", [(25, 33), (97, 129), (100, 131)])
@pytest.mark.parametrize(("align_corners", "name"), [(True, "corners"), (False, "halfpixel")])
def test_bilinear_matches_pytorch(goldens, size, align_corners, name):
    expected = goldens("resize")[f"bilinear_{name}_{size[0]}x{size[1]}"]
    lowres = jnp.asarray(goldens("resize")["lowres"].transpose(1, 2, 0))
    found = np.asarray(resize_bilinear(lowres, size, align_corners=align_corners))
    np.testing.assert_allclose(found.transpose(2, 0, 1), expected, atol=5e-6)
    planes = resize_planes(lowres.transpose(2, 0, 1), size, align_corners=align_corners)
    np.testing.assert_allclose(planes, expected, atol=5e-6)


@pytest.mark.parametrize("name", ["_33x49", "_97x129", "_37x53", "_18x91", "2_113x161"])
def test_nearest_picks_pytorchs_pixels(goldens, name):
    expected = goldens("resize")[f"nearest{name}"]
    label = goldens("resize")["label2" if name.startswith("2") else "label"]
    np.testing.assert_array_equal(resize_nearest(jnp.asarray(label), expected.shape), expected)


@pytest.mark.parametrize(("align_corners", "smallest"), [(True, 17), (False, 16)])
@pytest.mark.parametrize("edge", [1, 2, 15, 18])
def test_no_edge_vanishes(edge, align_corners, smallest):
    found = network_size(edge, 3000, align_corners=align_corners, max_long_edge=1040)
    assert found == (smallest, 1041 if align_corners else 1040)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((192, 192), (289, 289)),
        ((96, 192), (289, 577)),  # the shape stays
        ((288, 300), (289, 305)),  # large enough already
        ((48, 192), (257, 1041)),  # the long edge's cap comes last
    ],
)
def test_small_frames_are_enlarged_to_the_least_short_edge(frame, expected):
    found = network_size(*frame, align_corners=True, max_long_edge=1040, min_short_edge=288)
    assert found == expected
