"""The HTTP API as one app: its routes, its errors, its page."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse

from ops.web import feeding, health, page, problems, reading, shapes
from ops.web.desk import Desk
from ops.web.edges import Edges
from ops.web.reader import Reader

_SHAPES: Final = (
    problems.ProblemShape,
    shapes.ArticleIn,
    shapes.AcceptedArticle,
    shapes.ManyAnswer,
    shapes.StreamAnswer,
)


def build(desk: Desk, reader: Reader) -> FastAPI:
    """The app on these."""
    # Its own page loads scripts from a stranger's host.
    app = FastAPI(title="news-pipeline", version=version("news-pipeline"), docs_url=None, redoc_url=None)
    app.state.desk, app.state.reader = desk, reader
    for router in (feeding.router, reading.router, health.router):
        app.router.routes.extend(router.routes)  # as they are: inside an included router no route says what it is
    problems.handle(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page.render(app.openapi()))

    app.add_middleware(Edges, style=page.STYLE_HASH)
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The document, with the shapes of bodies that FastAPI does not read itself."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description="Feeds articles into the pipeline and reads what became of them.",
            routes=app.routes,
        )
        known = document["components"]["schemas"]
        for shape in _SHAPES:
            schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
            known |= schema.pop("$defs", {})
            known[schema["title"]] = schema
        for name in ("HTTPValidationError", "ValidationError"):  # ours are problems
            known.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
        app.openapi_schema = document
    return app.openapi_schema
