"""What the use cases need from the world, as protocols; the adapters implement them.

Decides: the words between use cases and adapters. Never: does I/O.

- ``rows``     what is kept: one frozen dataclass per table, all keyed by tenant.
- ``changes``  what one unit of work asks the store to do: insert, put, advance (guarded by a generation), delete.
- ``store``    the database: loads a tenant, saves changes in one transaction, appends reports, checkpoints.
- ``blobs``    bytes by SHA-256, written once.
- ``signer``   signs desired states.
- ``clock``, ``ids``  time and chance.
"""
