"""The page of a new secret, which is shown once."""

from starlette.responses import Response

from ipgate.console.page import Page


async def show(page: Page) -> Response:
    """Show a secret, and forget it."""
    if page.request.method == "HEAD":
        return Response()
    shown = page.session.secrets.pop(page.request.url.path, None)
    if shown is None:
        return page.render("gone.html", status=410)
    return page.render("credential.html", **shown)
