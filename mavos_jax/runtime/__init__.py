"""Files, devices and where results come from: what everything else may use."""
