# syntax=docker/dockerfile:1

# Node 24 on Debian's slim image. A release sets the image with its digest:
#   docker build --build-arg NODE_IMAGE=docker.io/library/node:24-trixie-slim@sha256:… .
ARG NODE_IMAGE=docker.io/library/node:24-trixie-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts/image/prune.sh /usr/local/bin/prune
RUN npm ci --omit=dev --ignore-scripts && prune node_modules

FROM ${NODE_IMAGE} AS files
WORKDIR /app
COPY package.json README.md LICENSE CHANGELOG.md SECURITY.md ./
COPY models models
COPY docs docs
COPY console console
COPY --from=build /app/dist dist
# Under umask 077 only the owner can read the files of a checkout, and that user does not exist in the image.
RUN chmod -R a+rX .

# The parts of Debian that the server needs: the libraries of Node and of the engine, and the locale in scikit-learn's
# text models. The image has no shell and no program except node.
FROM ${NODE_IMAGE} AS system
# No pinned version: Debian keeps only one version of a package, so that a pinned one would soon be missing.
# hadolint ignore=DL3008
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends locales && \
    rm -rf /var/lib/apt/lists/*
COPY --from=dependencies /app/node_modules/onnxruntime-node/bin /engine
COPY scripts/image/collect.sh /usr/local/bin/collect
RUN collect /system /usr/local/bin/node /engine

FROM scratch
COPY --from=system /system /
# Without .npmrc, which may hold a token.
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=files /app /app

ARG VERSION
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="Sardonyx" \
      org.opencontainers.image.description="Serves machine-learning models exported to ONNX as JSON over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

ENV NODE_ENV=production \
    PATH=/usr/local/bin \
    HOST=0.0.0.0 \
    PORT=8000 \
    MODELS_DIR=/models
WORKDIR /app
USER 1000:1000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "dist/healthcheck.js"]
ENTRYPOINT ["node"]
CMD ["dist/main.js"]
