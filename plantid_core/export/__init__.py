"""What leaves the workbench as files: tidy tables, and biodiversity records."""
