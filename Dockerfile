# Two ways to the same image:
#   make image      builds everything from source; needs a registry for the two base images
#   make runtime    builds the stage `runtime` from binaries that exist already; needs no registry
# An ordinary multi-stage file: no BuildKit-only syntax.
ARG BASE_IMAGE=debian:bookworm-slim
ARG RUST_IMAGE=rust:1.95-bookworm

# What runs: deploy/rootfs/ as it is, with the binaries that `make runtime` puts into it.
FROM ${BASE_IMAGE} AS runtime
RUN groupadd --system --gid 10001 restante \
 && useradd --system --uid 10001 --gid restante --home-dir /var/lib/restante --shell /usr/sbin/nologin restante \
 && install -d -o restante -g restante -m 0750 /var/lib/restante
COPY deploy/rootfs/ /
USER restante
WORKDIR /var/lib/restante
ENV RESTANTE_CONFIG=/etc/restante/restante.toml
VOLUME /var/lib/restante
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/restante"]
CMD ["all"]

FROM ${RUST_IMAGE} AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends clang libclang-dev cmake \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# RocksDB is compiled here: some 15 minutes on two cores.
RUN cargo build --release --locked -p restante -p restantectl -p restante-im-client \
 && install -D -t /out target/release/restante target/release/restantectl target/release/im-client

FROM runtime AS image
COPY --from=build /out/ /usr/local/bin/
