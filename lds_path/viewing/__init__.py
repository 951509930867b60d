"""The pages of a run with everything at full resolution, and what people think of the slides."""
