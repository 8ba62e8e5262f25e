# The main model: torch and transformers, the engine, our packages. Build from the repository's root.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# Bytecode of the standard library, which some base images leave out: a read-only root never gets it.
FROM ${BASE_IMAGE} AS python
RUN python -m compileall -q --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|lib2to3|site-packages)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# What torch is pinned to, apart from all else that is pinned: other pins do not make its layer anew.
FROM ${BASE_IMAGE} AS pins
COPY constraints.txt /build/
RUN grep -E '^(torch|triton|nvidia-.*|cuda-.*|filelock|fsspec|jinja2|markupsafe|mpmath|networkx|numpy|setuptools|sympy|typing-extensions)==' \
      /build/constraints.txt > /build/torch.txt

# torch in a layer of its own: gigabytes where the index gives the CUDA build, a tenth from an index
# of CPU builds, which TORCH_INDEX_URL names. Without triton: it compiles kernels at run time, which
# nothing here asks for, and weighs a gigabyte; nor headers, which compile extensions.
FROM python AS torch
ARG TORCH_INDEX_URL=
COPY --from=pins /build/torch.txt /build/torch.txt
RUN python -m venv --without-pip /opt/remoe \
 && python -m pip --python /opt/remoe install --no-cache-dir --no-compile --constraint /build/torch.txt \
      ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} numpy torch \
 && python -m pip --python /opt/remoe uninstall --yes triton \
 && rm -rf /opt/remoe/lib/python3.*/site-packages/torch/include \
 && find /opt/remoe/lib/python3.*/site-packages/torch/bin -type f ! -name torch_shm_manager -delete \
 && find /opt/remoe -name '*.a' -delete \
 && python -m compileall -q --invalidation-mode unchecked-hash -x 'torch/testing|/tests/' /opt/remoe \
 && touch /opt/remoe/torch-is-here

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

# The rest that we need from the index, in a layer that a change of code leaves alone.
FROM torch AS requirements
COPY constraints.txt functions/pyproject.toml functions/images/requirements.py /build/
RUN python -m pip --python /opt/remoe install --no-cache-dir --no-compile --constraint /build/constraints.txt \
      $(cd /build && python requirements.py 'pyproject.toml[main]' --without torch) \
 && find /opt/remoe -name '*.py' -newer /opt/remoe/torch-is-here \
  | python -m compileall -q --invalidation-mode unchecked-hash -i -

FROM requirements
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="remoe main" \
      org.opencontainers.image.description="Main model of Remoe: attention, gates, shared experts and the experts used most" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=code /code /opt/remoe/code
ENV PATH=/opt/remoe/bin:$PATH PYTHONPATH=/opt/remoe/code PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LANG=C.UTF-8 HOME=/tmp USER=remoe
USER 65532:65532
# What was left out above is not missed: an image that cannot import its program is not built.
RUN python -c "import remoe_functions.main.process"
EXPOSE 8000
ENTRYPOINT ["python", "-m", "remoe_functions.main"]
