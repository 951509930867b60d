"""What is shown of slides and cohorts: metrics by name, pictures, pages, the table."""
