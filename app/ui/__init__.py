"""What every page is built with: widgets, dialogs, formats, theme and static files. Knows no noun of the house."""
