"""What people look at: pictures, pages, the table of the cohort."""
