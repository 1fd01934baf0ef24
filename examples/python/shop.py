"""Plain Python: an order and the job that sends its receipt are committed together, or not at all."""

import sqlite3
import sys

from jobs import enqueue


def connect(path):
    # IMMEDIATE takes the write lock at the beginning of a transaction. A transaction that reads first and writes later
    # could fail with "database is locked" however long the timeout is.
    connection = sqlite3.connect(path, timeout=10, isolation_level="IMMEDIATE")
    connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL, cents INTEGER)")
    return connection


def order(connection, email, cents):
    with connection:  # commits at its end, and rolls back after an exception
        cursor = connection.cursor()
        cursor.execute("INSERT INTO orders (email, cents) VALUES (?, ?)", (email, cents))
        order_id = cursor.lastrowid
        enqueue(cursor, "send_receipt", {"order": order_id, "to": email, "cents": cents},
                unique_key=f"receipt:{order_id}")
        if cents <= 0:
            raise ValueError("an order costs something")
    return order_id


if __name__ == "__main__":
    shop = connect(sys.argv[1])
    print("order", order(shop, "ada@example.org", 1200))
    try:
        order(shop, "bob@example.org", 0)
    except ValueError as error:
        print("refused:", error)
    print("orders:", shop.execute("SELECT count(*) FROM orders").fetchone()[0])
    print("jobs:", shop.execute("SELECT count(*) FROM job_queue").fetchone()[0])
