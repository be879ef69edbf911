"""TerraScope-Bench: suites of questions, runs of any reasoner over them, and scores of answers and of masks."""
