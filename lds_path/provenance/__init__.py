"""Where results come from: whether they are still what their stages wrote, and how they were made."""
