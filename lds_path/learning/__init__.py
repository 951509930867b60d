"""From annotations to weights: the recipe, the labelled regions, the steps."""
