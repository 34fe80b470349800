"""What gunicorn serves: `gunicorn reader.wsgi:app`."""

from reader.app import create_app

app = create_app()
