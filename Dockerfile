# One image for all stages: `docker build -t news .`, then `docker run news news doctor` (docs/deployment.md).
# The first two stages need the package index; the last one has neither pip's cache, nor a compiler, nor Kafka, nor
# PostgreSQL. The classic builder builds it too: no cache mounts, no here-documents.

# What we depend on: locked, each file checked against its hash, wheels only, compiled to bytecode by pip.
FROM python:3.11-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/news
COPY requirements/runtime.txt /build/requirements/
RUN pip --python /opt/news/bin/python install --require-hashes --only-binary :all: -r /build/requirements/runtime.txt
# What packages carry for those who develop them, 35 MB: their own tests, type stubs, sources of their C extensions.
RUN cd /opt/news/lib/python3.11/site-packages \
 && find . -type d -name tests -prune -exec rm -r {} + \
 && find . -type f -regex '.*\.\(pyi\|pyx\|pxd\|c\|cpp\|h\|hpp\)' -delete

# What we wrote: our wheel, laid out as it will lie in the image.
FROM packages AS application
COPY requirements/build.txt /build/requirements/
RUN python -m venv /build/tools \
 && /build/tools/bin/pip install --require-hashes --only-binary :all: -r /build/requirements/build.txt
COPY . /build/source
WORKDIR /build/source
RUN /build/tools/bin/python -m hatchling build -t wheel -d /build/wheel \
 && pip --python /opt/news/bin/python install --no-deps --no-index --root /application /build/wheel/*.whl

FROM python:3.11-slim-bookworm
# Debian has an account of this name, for a service that is not here: it becomes ours, with a number of its own.
RUN groupmod --gid 10001 news \
 && usermod --uid 10001 --home /var/lib/news news \
 # A fresh volume takes over the owner of the folder that it is mounted at.
 && install -d -o news -g news /app /var/lib/news /run/news/secrets \
 && ln -s /opt/news/lib/python3.11/site-packages/ops/seeds /app/seeds
# Two layers: a new release of ours leaves the first, which is nearly all, as it was.
COPY --from=packages /opt/news /opt/news
COPY --from=application /application /

# /dev/shm can be written to under a read-only root, without a mount.
ENV PATH=/opt/news/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NEWS_DATA_DIR=/var/lib/news \
    NEWS_READY_FILE=/dev/shm/news-ready
WORKDIR /app
USER news
VOLUME /var/lib/news
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "pipeline.health"]
CMD ["news", "--help"]

# That of pyproject.toml: a test compares them.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="news-pipeline" \
      org.opencontainers.image.description="News articles in, one clean, enriched, queryable PostgreSQL row per article out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
