"""A FastAPI route for allowed API keys: `uvicorn fastapi_app:app --no-proxy-headers`."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from ipgate_client import AsyncClient, Verdict
from ipgate_client.fastapi import IpgateGuard

client = AsyncClient(
    os.environ.get("IPGATE_SERVER", "127.0.0.1:50051"),
    token_file=os.environ.get("IPGATE_TOKEN_FILE", "token"),
)
guard = IpgateGuard(client, trusted_proxies=os.environ.get("TRUSTED_PROXIES", "").split())
app = FastAPI()


@app.get("/orders")
async def orders(verdict: Annotated[Verdict, Depends(guard)]) -> dict[str, str]:
    return {"api_key": verdict.api_key}
