"""Measurements that people run: what a page costs. Prints numbers beside their targets, and judges nothing."""
