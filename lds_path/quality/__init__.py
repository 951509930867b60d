"""How good a slide and its analysis are: what a metric is, artefacts, focus, stains, verdict."""
