import numpy as np
import pytest

from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import write_mask
from mavos_jax.media.sequence import LaterMasks

SIZE = (12, 16)


@pytest.fixture
def files(tmp_path):
    """Masks by frame; their ids lie in columns beside each other."""
    found = {}
    for index, shown in {3: (1, 2), 5: (1, 2), 9: (4, 2), 12: ()}.items():
        ids = np.zeros(SIZE, np.uint8)
        for place, value in enumerate(shown):
            ids[2:8, 5 * place : 5 * place + 4] = value
        found[index] = tmp_path / f"{index}.png"
        write_mask(found[index], ids)
    return found


def test_new_objects_are_the_first_mask_of_every_id(files):
    labels = LaterMasks(files, SIZE, known=(1,), corrects=False)
    assert labels.new_ids == {3: (2,), 9: (4,)}
    assert list(labels) == [3, 9]
    assert object_ids(labels[9]) == (4,)
    assert (labels[9][2:8, :4] == 4).all()
    assert 5 not in labels
    with pytest.raises(KeyError):
        labels[5]
    assert str(labels) == (
        "masks: 3 used (1 at the start, 2 with new objects), 2 without new objects ignored"
    )


def test_corrections_are_whole_masks(files):
    labels = LaterMasks(files, SIZE, known=(1,), corrects=True)
    assert list(labels) == [3, 5, 9]
    assert (labels.new_ids, labels.corrections) == ({3: (2,), 9: (4,)}, [3, 5, 9])
    assert object_ids(labels[9]) == (2, 4)
    assert str(labels) == (
        "masks: 4 used (1 at the start, 2 with new objects, 3 correcting known ones), "
        "1 without new objects ignored"
    )


def test_a_later_mask_of_another_size_is_refused_at_once(files):
    with pytest.raises(ValueError, match=r"3\.png: expected a mask of 12 x 17"):
        LaterMasks(files, (12, 17), known=(1,), corrects=True)
