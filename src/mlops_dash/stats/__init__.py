"""Numbers: arrays and mergeable summaries in, results with intervals out.

Pure functions. No IO, no clock, no global random numbers, and no verdicts: `stats` measures, `domain` judges.
A result that could not be computed is NaN with a reason, never 0. Doors, by question:

- `summaries`: what a window is reduced to. `NumericCells.of`, `CategoryCells.of`, `cells_from_dict`, `count`,
  `count_by`, `Histogram`, `Moments`, `moments_by`, `score_edges`, `ScoreTable`, `score_tables_by`.
- `drift`: how far a column moved. `column_drift` -> `ColumnDrift`, `psi_series`, `benjamini_hochberg`,
  `usual_swing` -> `UsualSwing`.
- `performance`: how good predictions were. `classification_metrics`, `regression_metrics`, `auc_estimate`,
  `auc_from_tables`, `calibration_error`, `proportion`, `cluster_estimate`, `base_rate_free_loss`,
  `base_rate_free_estimate`, `base_rate_free_from_moments` -> `MetricEstimate`.
- `losses`: what one row costs. `log_losses`, `squared_errors`.
- `comparison`: challenger against champion on the same rows. `paired_difference` -> `PairedEstimate`.
- `sequential`: the harm alarm. `loss_units`, `base_rate_free_units`, `ranking_units`, `harm_reference` ->
  `HarmReference`, `harm_alarm` -> `HarmState`.

Inside: `arrays` (checks), `cells`, `moments`, `ranking` (AUC), `distances`, `intervals`, `estimates`.
"""
