"""A Django application for allowed API keys: `gunicorn django_app:guarded`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path
from ipgate_client import Client
from ipgate_client.wsgi import IpgateMiddleware

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS="*")
client = Client(
    os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"),
    token_file=os.environ.get("IPGATE_TOKEN_FILE", "token"),
)
proxies = os.environ.get("TRUSTED_PROXIES", "").split()
urlpatterns = [
    path("orders", lambda request: JsonResponse({"api_key": request.environ["ipgate"].api_key})),
    path("healthz", lambda _: HttpResponse("ok")),
]
guarded = IpgateMiddleware(
    get_wsgi_application(), client, trusted_proxies=proxies, exempt=["/healthz"]
)
