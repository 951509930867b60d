"""How good a model is on the slides that choose its weights: scores, calibration, the worst regions."""
