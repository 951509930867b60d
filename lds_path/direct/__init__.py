"""A run without Snakemake: the stages of all slides in one process, and what helps a first run."""
