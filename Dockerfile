# One recipe for the three images: docker build --build-arg SERVICE=payment-service .
FROM node:26-slim AS packages

ARG SERVICE
WORKDIR /app

# Every workspace's package.json is here, since the lockfile is of them all; what is installed is the service's own.
COPY package.json package-lock.json .npmrc ./
COPY service-kit/package.json service-kit/
COPY payment-service/package.json payment-service/
COPY aldeamo-service/package.json aldeamo-service/
COPY twilio-service/package.json twilio-service/
RUN npm ci --omit=dev --no-audit --no-fund -w "$SERVICE"
# Half of what is installed is not used at run time: Node.js runs no TypeScript of a package, and reads no source maps unless asked.
# Everything is readable by every user, also from a repository that was cloned for its owner alone.
RUN find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.[cm]ts' \) -delete && chmod -R a+rX .

FROM node:26-slim AS sources
ARG SERVICE
WORKDIR /app
COPY service-kit/check-health.sh service-kit/
COPY service-kit/src service-kit/src
COPY ${SERVICE}/src ${SERVICE}/src
RUN chmod -R a+rX .

FROM node:26-slim

# npm has no work here, and neither has what else the official image brings for packages. The files stay in the base's layer, which all
# images of Node.js 26 share; a base without them would be one more to download.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
  /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*

ARG SERVICE
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app ./
COPY --from=sources /app ./

# A named volume that is mounted here gets this owner.
RUN mkdir /data /app/compiled && chown 1000:1000 /data /app/compiled

# The user node, as a number, because Kubernetes checks no name against runAsNonRoot.
USER 1000:1000
WORKDIR /app/${SERVICE}
# Started once, so that what V8 makes of the code, without its types, is in the image: it starts sooner, and takes
# less memory, as nothing has to be compiled. That is of no use to a Node.js with other V8 options, so `gc`, which the
# start calls once, is exposed to this one, too.
ENV NODE_COMPILE_CACHE=/app/compiled NODE_OPTIONS=--expose-gc
RUN DATABASE_URL=file:/tmp/payments.db LOG_LEVEL=error \
  node --eval "import('./src/main.ts').then(() => process.kill(process.pid, 'SIGTERM'))" \
  && rm -f /tmp/payments.db*
# The image works by itself: it is reached from outside, at one port whatever the service, and payment-service keeps its
# payments on the volume. docker-compose.yml gives each service a PORT of its own.
ENV HOST=0.0.0.0 PORT=8000 DATABASE_URL=file:/data/payments.db
# With a load of 40 on 2 CPUs a service takes up to 22 s to its first 200, and then answers in time; one that hangs is unhealthy after
# 25 s. No --start-interval, which Docker Engine has from version 25 on.
HEALTHCHECK --interval=3s --timeout=5s --start-period=45s --retries=5 \
  CMD ["bash", "../service-kit/check-health.sh"]
CMD ["node", "src/main.ts"]

# Last, because a new revision then builds no layer anew: docker build --build-arg REVISION="$(git rev-parse HEAD)" …
ARG REVISION=""
LABEL org.opencontainers.image.title="${SERVICE}" \
  org.opencontainers.image.description="Payments whose SMS notifications get through: Aldeamo inside a circuit breaker, Twilio when it is in trouble." \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.licenses="MIT"
