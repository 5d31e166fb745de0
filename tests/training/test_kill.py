import pytest
from training import kill_campaign


@pytest.mark.campaign
def test_killed_runs_end_as_one_that_was_not(tmp_path):
    kills = kill_campaign.campaign(tmp_path, num_kills=2, steps=24)
    assert len(kills) == 2
    # A checkpoint is complete before the next one is begun.
    assert all(0 <= kill.lost <= 2 * kill_campaign.SAVE_EVERY for kill in kills)
