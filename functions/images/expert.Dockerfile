# An expert function: the interpreter, numpy and our packages; no shell, no torch, no package manager.
# Build from the repository's root.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS kernel
WORKDIR /build
COPY constraints.txt .
RUN python -m pip install --no-cache-dir --no-compile --constraint constraints.txt hatchling ziglang
COPY functions/pyproject.toml functions/README.md functions/hatch_build.py functions/
COPY functions/native functions/native
# A wheel of the kernel alone: what the compiler makes stays in functions/build for the next stage,
# so that a change of Python code compiles no C.
RUN mkdir -p functions/src/remoe_functions/kernel \
 && python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /tmp ./functions

FROM kernel AS code
COPY planner planner
COPY functions/src functions/src
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels ./planner ./functions \
 && python -m pip install --no-cache-dir --no-compile --no-deps --target /code /wheels/*.whl \
 && rm -rf /code/bin /code/remoe_functions/demo_model \
 && python -m compileall -q --invalidation-mode unchecked-hash /code

FROM ${BASE_IMAGE} AS requirements
COPY constraints.txt functions/pyproject.toml functions/images/requirements.py /build/
RUN python -m pip install --no-cache-dir --no-compile --target /opt/remoe/requirements --constraint /build/constraints.txt \
      $(cd /build && python requirements.py pyproject.toml) \
 && cd /opt/remoe/requirements && rm -rf bin numpy/distutils numpy/f2py \
 && find . -depth \( -name tests -o -name include -o -name '*.pyi' -o -name '*.a' \) -exec rm -rf {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash .
COPY functions/images/bare_python.py /build/
RUN python /build/bare_python.py /bare /opt/remoe/requirements

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="remoe expert" \
      org.opencontainers.image.description="Expert function of Remoe: computes its experts of a Mixture-of-Experts model" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=requirements /bare /
COPY --from=requirements /opt/remoe/requirements /opt/remoe/requirements
COPY --from=code /code /opt/remoe/code
ENV PATH=/usr/local/bin:/usr/bin PYTHONPATH=/opt/remoe/code:/opt/remoe/requirements PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 LANG=C.UTF-8 HOME=/tmp USER=remoe
USER 65532:65532
EXPOSE 9000 9001
ENTRYPOINT ["python", "-m", "remoe_functions.expert"]
