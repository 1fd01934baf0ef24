"""Django: a view commits an order and its job together. One file in place of a project; the view is the same in one."""

import json
import os
import sys

import django
from django.conf import settings
from django.db import connection, transaction
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.http import require_POST

from jobs import enqueue

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ.get("DATABASE", "shop.db"),
                # Since Django 5.1 add "transaction_mode": "IMMEDIATE", see docs/python.md.
                "OPTIONS": {"timeout": 10},
            }
        },
    )
    django.setup()


@require_POST
def create_order(request):
    fields = json.loads(request.body)
    with transaction.atomic():
        cursor = connection.cursor()
        cursor.execute("INSERT INTO orders (email, cents) VALUES (%s, %s)", [fields["email"], fields["cents"]])
        order_id = cursor.lastrowid
        enqueue(cursor, "send_receipt", {"order": order_id, "to": fields["email"], "cents": fields["cents"]},
                placeholder="%s", unique_key=f"receipt:{order_id}")
        if fields["cents"] <= 0:
            transaction.set_rollback(True)
            return JsonResponse({"error": "an order costs something"}, status=422)
    return JsonResponse({"order": order_id}, status=201)


urlpatterns = [path("orders", create_order)]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
