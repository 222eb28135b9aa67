"""Parts of the Experiments page: controls, table, pictures, the compare tray and its verdicts."""
