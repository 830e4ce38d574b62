"""The toys of the MadNIS paper: settings, trainings, errors, tables."""
