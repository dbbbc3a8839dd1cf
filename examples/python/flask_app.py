"""A Flask application for allowed API keys: `flask --app flask_app run`."""

import os

from flask import Flask, request
from ipgate_client import Client
from ipgate_client.wsgi import IpgateMiddleware

app = Flask(__name__)
client = Client(
    os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"),
    token_file=os.environ.get("IPGATE_TOKEN_FILE", "token"),
)
proxies = os.environ.get("TRUSTED_PROXIES", "").split()
app.wsgi_app = IpgateMiddleware(app.wsgi_app, client, trusted_proxies=proxies, exempt=["/healthz"])


@app.get("/orders")
def orders() -> dict[str, str]:
    return {"api_key": request.environ["ipgate"].api_key}


@app.get("/healthz")
def health() -> str:
    return "ok"
