# One image for every process: the API, the workers and the migration differ only in their command.
ARG NODE_IMAGE=node:20-bookworm-slim

# --- every dependency, from the lock file -----------------------------------------------------------------------------
FROM ${NODE_IMAGE} AS deps
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: the embedded PostgreSQL is not used here, and nothing else needs one.
RUN npm ci --ignore-scripts --no-audit --no-fund

# --- the compiled program ---------------------------------------------------------------------------------------------
FROM deps AS build
COPY .swcrc tsconfig.json nest-cli.json prisma.config.ts ./
COPY scripts scripts
COPY prisma prisma
COPY libs libs
COPY apps apps
RUN npm run build

# --- only what runs in production -------------------------------------------------------------------------------------
FROM deps AS production
# The binaries of the embedded PostgreSQL are optional dependencies and stay out with them.
RUN npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

# --- the image --------------------------------------------------------------------------------------------------------
FROM ${NODE_IMAGE} AS runtime
# bubblewrap isolates steps, git is for steps that need it, tini reaps what a killed step leaves behind.
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates git tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node -m 0700 /data
WORKDIR /app
COPY --from=production /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY bin bin
COPY prisma prisma
ENV NODE_ENV=production \
  NODE_OPTIONS=--enable-source-maps \
  DATA_DIR=/data \
  HOST=0.0.0.0 \
  PORT=3000
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "dist/apps/api/src/main.js"]
