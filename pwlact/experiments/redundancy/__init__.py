"""Does competition between the units of a layer make them less redundant? Four experiments on one training loop."""
