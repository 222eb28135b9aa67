"""Parts of the A/B page: what people decide there, and the published experiment."""
