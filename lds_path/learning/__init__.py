"""How a model learns: the recipe, the labelled regions, the steps, what is shown."""
