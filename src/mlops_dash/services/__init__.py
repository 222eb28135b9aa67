"""The verbs: check the actor, open one transaction, read, decide, write, audit."""
