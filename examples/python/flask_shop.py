"""Flask: POST /orders commits an order and its job together. Start it with `flask --app flask_shop run`."""

import os

from flask import Flask, g, jsonify, request

from shop import connect, order

app = Flask(__name__)
app.config["DATABASE"] = os.environ.get("DATABASE", "shop.db")


def database():
    if "database" not in g:
        g.database = connect(app.config["DATABASE"])
    return g.database


@app.teardown_appcontext
def close(_error):
    if "database" in g:
        g.pop("database").close()


@app.post("/orders")
def create_order():
    fields = request.get_json()
    try:
        order_id = order(database(), fields["email"], fields["cents"])
    except ValueError as error:
        return jsonify(error=str(error)), 422
    return jsonify(order=order_id), 201


@app.get("/jobs/<int:job_id>")
def job(job_id):
    row = database().execute("SELECT status, result FROM job_queue WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        return jsonify(error="no such job"), 404
    return jsonify(status=row[0], result=row[1])
