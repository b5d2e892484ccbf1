"""Input of the study folder: which files are read, what each value may become, and what is refused."""
