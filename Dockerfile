# syntax=docker/dockerfile:1
# Both images of SkyClust, one stage each: `skyclust` is the controller and the facade, `tofu-runner` is what runs OpenTofu in a Job.
#
#   docker build --target skyclust -t skyclust .
#   docker build --target tofu-runner -t tofu-runner .
#
# There is nothing to compile: Node runs the TypeScript as it is. CI builds with SOURCE_DATE_EPOCH and rewritten timestamps, so that one commit gives
# one image of `skyclust`; what apt installs into `tofu-runner` follows Debian.
ARG NODE_VERSION=24.21.0
ARG TOFU_VERSION=1.12.6

FROM docker.io/library/node:${NODE_VERSION}-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without what is for development, and without the Node that npm brings: the image has one.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

FROM ghcr.io/opentofu/opentofu:${TOFU_VERSION}-minimal AS tofu

FROM docker.io/library/node:${NODE_VERSION}-trixie-slim AS tofu-runner
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
 && echo 'runner:x:65532:' >> /etc/group && echo 'runner:x:65532:65532::/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && seq 66000 66999 | sed 's,.*,run-&:x:&:65532::/tmp:/usr/sbin/nologin,' >> /etc/passwd \
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
 && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn*
COPY --from=tofu /usr/local/bin/tofu /usr/local/bin/tofu
WORKDIR /app
COPY --from=dependencies /app/node_modules/zod ./node_modules/zod
COPY package.json ./
COPY controller/tofu-run ./controller/tofu-run
COPY --chmod=755 tools/images/skyclust-tofu-runner /usr/local/bin/skyclust-tofu-runner
ENV NODE_ENV=production SKYCLUST_TOFU=/usr/local/bin/tofu
USER 65532:65532
CMD ["skyclust-tofu-runner"]

# No shell, no package manager.
FROM gcr.io/distroless/nodejs24-debian13:nonroot AS skyclust
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY config ./config
COPY crds ./crds
COPY kube ./kube
COPY clouds ./clouds
COPY controller ./controller
COPY api ./api
COPY tracing ./tracing
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["controller/main.ts"]
