"""What the benchmarks of the views share: models with their views, tables with their datasets, baselines, reports."""
