"""Parts of the Registry page: decisions about versions, and who serves."""
