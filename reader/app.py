"""The Flask application of a reader: wiring only."""

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from reader.bodies.wanted_bodies import FORM_MAX_BYTES, POSTED_TO
from reader.cli.commands import cache
from reader.cli.help import settings_for_help
from reader.errors import ApiError, BadRequest
from reader.operations.routes import operations_routes
from reader.process import ReaderProcess
from reader.response.refused_paths import refused_method
from reader.response.respond import refuse
from reader.routes import routes
from reader.status.routes import register as register_status
from reader.web.mounted import Mounted
from reader.web.request import address, response
from reader.web.request import process as process_of_request
from reader.web.request_hooks import add_request_hooks
from shared import settings as settings_of_process
from shared.measures import Measure
from shared.resources.catalogue import catalogue_or_exit
from shared.settings import Settings

log = logging.getLogger("reader")


def create_app(settings: Settings | None = None, *, process: ReaderProcess | None = None) -> Flask:
    """The application of a reader process; it connects to nothing before the first request.

    Args:
        settings: those of the environment if None.
        process: that the application belongs to; made from the settings if None.

    Raises:
        SystemExit: the environment's settings are wrong.
    """
    app = Flask("reader", static_folder=None)
    # Flask's own responses to OPTIONS lack the CORS fields that browsers ask for.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # For all bodies except a webhook's, which has a limit of its own.
    app.config["MAX_CONTENT_LENGTH"] = FORM_MAX_BYTES
    # A path with `//` or a trailing slash names another resource, at GitHub and so here.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    if process is None:
        settings = settings or settings_for_help() or settings_of_process.load_or_exit()
        catalogue_or_exit(settings)
        process = ReaderProcess(settings)
    app.extensions["process"] = process
    add_request_hooks(app)
    register_status(app)
    app.register_blueprint(operations_routes)
    app.register_blueprint(routes)
    app.cli.add_command(cache)
    app.wsgi_app = Mounted(app.wsgi_app)  # type: ignore[method-assign]
    app.register_error_handler(ApiError, _refuse)
    app.register_error_handler(HTTPException, _refuse_as_flask_does)
    app.register_error_handler(Exception, _fail)
    return app


def _refuse(error: ApiError) -> Response:
    if error.refusal is not None:
        process_of_request().start().telemetry.counters.count(Measure.REFUSALS, error.refusal)
    limits = process_of_request().start().limits.fields_of_error(request.path, error)
    return response(refuse(error, base=_base(), limits=limits))


def _base() -> str | None:
    """URL below which our own pages are; None if the request does not say where it was sent."""
    try:
        return address().base + request.script_root
    except BadRequest:
        return None


def _refuse_as_flask_does(error: HTTPException) -> Response:
    if isinstance(error, MethodNotAllowed):
        api = process_of_request().settings.github_api_url
        return _refuse(refused_method(is_posted_to=request.path in POSTED_TO, api=api))
    return _refuse(ApiError(error.code or 500, error.name))


def _fail(error: Exception) -> Response:
    fields = {"request_id": g.get("request_id"), "path": request.path}
    log.error("unexpected error", exc_info=error, extra={"fields": fields})
    return _refuse(ApiError(500, InternalServerError().name))
