"""What QuPath opens besides the objects: scripts, and a project of the cohort."""
