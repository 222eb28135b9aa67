"""Parts of the Monitoring page: alerts and the next step."""
