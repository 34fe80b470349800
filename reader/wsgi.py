"""The WSGI application, for a gunicorn without the front: `gunicorn reader.wsgi:app`."""

from reader.app import create_app

app = create_app()
