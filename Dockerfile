# An image with lds-path and all that it runs with: docs/containers.md.
#   docker build -t lds-path:cuda .                                  with CUDA
#   docker build -t lds-path --build-arg TORCH_INDEX="$INDEX" .      without; docs/containers.md says what INDEX is
# Python is Debian's, so that the image needs no other base and gets Debian's security updates.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# Where torch for CPUs is found; empty: it comes from the package index itself, with CUDA.
ARG TORCH_INDEX=
# Code is compiled for this kind of processor: x86-64-v3 are those with AVX2 (since 2013); for ARM: generic.
ARG PROCESSOR=x86-64-v3
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3-venv \
  && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/lds-path
ENV PATH=/opt/lds-path/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Changes of the code leave this layer, the largest, as it is.
COPY requirements.txt /build/requirements.txt
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement /build/requirements.txt
COPY . /build/lds-path
RUN pip install --no-deps /build/lds-path
# The check of a computer also compiles what every container would compile again.
ENV NUMBA_CPU_NAME=$PROCESSOR NUMBA_CPU_FEATURES=
RUN lds-path doctor

FROM ${BASE}
ARG VERSION
ARG REVISION
ARG PROCESSOR=x86-64-v3
LABEL org.opencontainers.image.title="lds-path" \
  org.opencontainers.image.description="Whole-slide segmentation with a learned downsampler" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION"
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir /work
COPY --from=build /opt/lds-path /opt/lds-path
# Any user may run it, without a name, a home or rights: only /tmp and the results are written.
ENV PATH=/opt/lds-path/bin:$PATH HOME=/tmp USER=lds-path LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
  NUMBA_CPU_NAME=$PROCESSOR NUMBA_CPU_FEATURES=
USER 1000:1000
WORKDIR /work
CMD ["lds-path", "--help"]
