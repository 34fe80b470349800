# One image for all three kinds of process; the command selects which one (see the Procfile).
#
#   docker build --tag api-read-cache .
#
# Every pinned requirement has a wheel for amd64 and arm64, so neither stage compiles anything. Both
# stages refuse a file whose hash differs from that in requirements.lock.

# Another image with Python 3.11 or newer and pip can take its place: `make image-test` uses one that it
# makes of Debian's packages.
ARG BASE=python:3.12-slim

FROM ${BASE} AS wheels
WORKDIR /build
COPY requirements.lock ./
RUN pip wheel --disable-pip-version-check --no-cache-dir --wheel-dir /wheels \
    --only-binary :all: --require-hashes --requirement requirements.lock

FROM ${BASE}
# Logs appear at once; the image already has Python's compiled files.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# The same number everywhere, so that file systems and Kubernetes can refer to it.
RUN groupadd --gid 10001 cache \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin cache
# Mounted, not copied: a copy would remain as a layer of the image.
WORKDIR /app
COPY requirements.lock ./
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --disable-pip-version-check --no-cache-dir --no-index --find-links /wheels \
    --require-hashes --requirement requirements.lock
# Owned by root: the processes cannot change their own code.
COPY gunicorn.conf.py ./
COPY shared/ shared/
COPY reader/ reader/
COPY refresher/ refresher/
COPY docs/runbooks/ docs/runbooks/
RUN python -m compileall -q shared reader refresher
USER 10001:10001
EXPOSE 5000
# gunicorn, rq and the scheduler all end in good order on SIGTERM. The exec form has no shell between.
STOPSIGNAL SIGTERM
# For readers; the other two kinds serve nothing and switch it off. It checks whether the process
# responds. Whether it can serve content is for the load balancer (/healthcheck), and not a reason to
# replace the container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 5000), timeout=4); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "reader.asgi:app"]
