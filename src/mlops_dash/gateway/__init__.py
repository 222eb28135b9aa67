"""The serving gateway: HTTP in, one service call, HTTP out.

app       routes; each reads, asks the scoring service off the event loop, and answers after the row is on disk
access    who may come in: everything but the health paths needs a token
writer    one transaction for all requests that wait (group commit)
follower  loads what was approved, and says in heartbeats what is served
members   several gateways behind one port
answers   errors as JSON with the next step
docs      the page /docs, without anything from outside
"""
