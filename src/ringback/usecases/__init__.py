"""What the server does, one module per deed: load, let the core decide, save, as one unit of work.

Use cases are plain functions: they read the fleet (`fleet.Fleet`, the read model in memory) and return an `Outcome`:
changes for the store and an answer. Nothing is changed while they run. `work.Desk` saves the changes in one transaction
and only then moves the read model by the same values, so memory and disk cannot drift apart.

Check-ins take the same shape on a faster road: `checkin.receive` returns a record; the journal keeps many records with
one sync; `fleet.Fleet.fold` moves the read model. Replaying the journal after a crash folds the same records again.
"""
