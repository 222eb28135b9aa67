"""Parts of the Retraining page: run now, cancel, schedules and recipes."""
