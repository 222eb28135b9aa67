"""Reports: making one."""
