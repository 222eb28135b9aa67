"""Parts of Audit & admin: users and tokens."""
