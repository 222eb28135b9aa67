"""Measurements that people run: what a page costs. Prints numbers beside their targets, and judges nothing."""

SESSION = "MLOPS_DASH_BENCH_SESSION"  # variable that holds the secret of the session cookie
