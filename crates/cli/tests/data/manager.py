#!/usr/bin/env python3
"""The application's own migration manager, as far as the tests need it: it stays in use beside the queue.

manager.py DB             prints the numbers that are applied
manager.py DB run N       adds a column to tracks and writes the ledger row of its migration N
manager.py DB rollback N  marks N as rolled back
"""
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
if len(sys.argv) == 2:
    rows = database.execute("SELECT migration_number FROM schema_migrations WHERE rollback_at IS NULL ORDER BY 1")
    print([number for (number,) in rows])
elif sys.argv[2] == "run":
    number = int(sys.argv[3])
    database.execute(f"ALTER TABLE tracks ADD COLUMN m{number} TEXT")
    database.execute(
        "INSERT INTO schema_migrations (migration_number, migration_name, applied_at) VALUES (?, ?, datetime('now'))",
        (number, f"Migration{number:03}"),
    )
    database.commit()
else:
    database.execute(
        "UPDATE schema_migrations SET rollback_at = datetime('now') WHERE migration_number = ? AND rollback_at IS NULL",
        (int(sys.argv[3]),),
    )
    database.commit()
