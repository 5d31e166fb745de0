import json

import numpy as np

from mavos_jax.evaluation.results_json import write_results_json
from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import is_marked


def test_results_are_those_of_the_official_tool(goldens, tmp_path):
    golden = goldens("rle")
    masks = [tmp_path / f"{index}.png" for index in range(len(golden["ytvis_pred"]))]
    for path, ids in zip(masks, golden["ytvis_pred"], strict=True):
        write_mask(path, ids)
    other = tmp_path / "other.png"
    write_mask(other, np.full((2, 3), 9, np.uint8))
    path = tmp_path / "out" / "results.json"
    write_results_json(path, {"clip": masks, "other": [other]})
    first, *_, last = json.loads(path.read_text())
    expected = json.loads(str(golden["ytvis_results_json"]))
    assert first["segmentations"] == expected[0]["segmentations"]
    assert (first["video_id"], first["video"], first["object_id"]) == (1, "clip", 1)
    assert (last["video_id"], last["video"], last["object_id"]) == (2, "other", 9)
    assert last["segmentations"] == [{"size": [2, 3], "counts": "06"}]
    assert is_marked(path)
    path.write_text(path.read_text().replace('"score": 1.0', '"score": 0.5', 1))
    assert not is_marked(path)
