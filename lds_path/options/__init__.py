"""The options of each stage, in the division of workflow/rules, and what follows from them."""
