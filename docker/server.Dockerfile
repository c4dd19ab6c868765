# The server with its page. Build from the checkout's top: docker build -f docker/server.Dockerfile .
FROM node:26-trixie-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --include=dev --include=optional
RUN npm run build
# Only what the server needs to run. PostgreSQL comes from outside, so the embedded one stays out.
RUN npm ci --omit=dev --omit=optional --workspace @restic-manager/server --include-workspace-root \
  # Our own packages are inside the bundle, and the test kit brings a browser.
  && rm -rf node_modules/@restic-manager node_modules/@sparticuz node_modules/playwright-core \
  # Whether a dependency lies beside the server or at the top is npm's choice.
  && mkdir -p apps/server/node_modules

FROM node:26-trixie-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8470 \
    RM_DATA_DIR=/var/lib/restic-manager \
    MALLOC_ARENA_MAX=2
WORKDIR /opt/restic-manager
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/apps/server/package.json apps/server/package.json
COPY --from=build /src/apps/server/node_modules apps/server/node_modules
COPY --from=build /src/apps/server/dist apps/server/dist
COPY --from=build /src/apps/web/dist apps/web/dist
COPY --from=build /src/drizzle drizzle
COPY LICENSE NOTICE ./
RUN install -d -o node -g node -m 0700 "$RM_DATA_DIR"
USER node
VOLUME /var/lib/restic-manager
EXPOSE 8470
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "apps/server/dist/main.js"]
