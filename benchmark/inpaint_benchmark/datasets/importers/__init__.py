"""One module for each form in which others publish datasets; all give the same `LoadedDataset`."""
