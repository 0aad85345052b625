# syntax=docker/dockerfile:1
# One file for every program; choose with --target:
#   worker  web  cli  ddmsim  dev (Temporal, Web UI, worker and web in one container)
#
# The programs are static, run as user 10001, and keep what must last in /data.

FROM golang:1.26-bookworm AS source
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .

FROM source AS programs
ARG VERSION=devel
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    set -e; \
    for program in shardlift=./starter shardlift-worker=./worker shardlift-web=./web ddmsim=./internal/ddmsim/cmd/ddmsim; do \
        go build -ldflags "-s -w -X main.version=$VERSION" -o "/out/${program%%=*}" "${program#*=}"; \
    done

# Temporal's server takes minutes to build: only the target dev needs it.
FROM source AS devserver
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -C internal/devserver -ldflags '-s -w' -o /out/shardlift-dev .

FROM debian:12-slim AS base
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin shardlift \
    && install -d -o shardlift -g shardlift -m 0700 /data
ENV SHARDLIFT_DATA=/data SHARDLIFT_LOG_FORMAT=json
USER shardlift
WORKDIR /data
VOLUME /data

FROM base AS worker
COPY --from=programs /out/shardlift-worker /usr/local/bin/
# A worker hands its work over before it ends; allow it 60 s (stop_grace_period, terminationGracePeriodSeconds).
ENTRYPOINT ["shardlift-worker"]

FROM base AS web
COPY --from=programs /out/shardlift-web /out/shardlift /usr/local/bin/
ENV SHARDLIFT_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["shardlift-web"]

FROM base AS cli
COPY --from=programs /out/shardlift /usr/local/bin/
ENTRYPOINT ["shardlift"]

FROM base AS ddmsim
COPY --from=programs /out/ddmsim /usr/local/bin/
EXPOSE 5066
ENTRYPOINT ["ddmsim"]

FROM base AS dev
COPY --from=devserver /out/shardlift-dev /usr/local/bin/
COPY --from=programs /out/shardlift /out/shardlift-worker /out/shardlift-web /usr/local/bin/
ENTRYPOINT ["shardlift-dev"]
