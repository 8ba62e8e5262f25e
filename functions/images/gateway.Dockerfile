# The gateway: the endpoint and the forecaster; no torch. Build from the repository's root.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# Bytecode of the standard library, which some base images leave out: a read-only root never gets it.
FROM ${BASE_IMAGE} AS python
RUN python -m compileall -q --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|lib2to3|site-packages)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# Our packages, the native kernel left out: nothing here computes experts.
FROM ${BASE_IMAGE} AS code
WORKDIR /build
COPY constraints.txt .
RUN python -m pip install --no-cache-dir --no-compile --constraint constraints.txt hatchling
COPY planner planner
COPY functions/pyproject.toml functions/README.md functions/hatch_build.py functions/
COPY functions/src functions/src
RUN REMOE_CC=none python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./planner ./functions \
 && python -m pip install --no-cache-dir --no-compile --no-deps --target /code /wheels/*.whl \
 && rm -rf /code/bin /code/remoe_functions/demo_model \
 && python -m compileall -q --invalidation-mode unchecked-hash /code

# What we need from the index, in layers that a change of code leaves alone.
FROM python AS requirements
COPY constraints.txt functions/images/requirements.py /build/
COPY planner/pyproject.toml /build/planner/
COPY functions/pyproject.toml /build/functions/
RUN python -m venv --without-pip /opt/remoe \
 && python -m pip --python /opt/remoe install --no-cache-dir --no-compile --constraint /build/constraints.txt \
      $(cd /build && python requirements.py planner/pyproject.toml 'functions/pyproject.toml[gateway]') \
 && find /opt/remoe -depth -type d -name tests -exec rm -rf {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/remoe

FROM requirements
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="remoe gateway" \
      org.opencontainers.image.description="Gateway of Remoe: an OpenAI-compatible endpoint that wakes what a request needs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=code /code /opt/remoe/code
ENV PATH=/opt/remoe/bin:$PATH PYTHONPATH=/opt/remoe/code PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 HOME=/tmp USER=remoe
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["python", "-m", "remoe_functions.gateway"]
