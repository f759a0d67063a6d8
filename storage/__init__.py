"""Cases, volumes, artifacts and the ledger: what is kept, and how it is found again."""
