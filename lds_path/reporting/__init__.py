"""What people look at: pictures, pages, the table of a cohort."""
