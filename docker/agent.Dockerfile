# The agent with restic 0.18 from Debian. Build from the checkout's top: docker build -f docker/agent.Dockerfile .
FROM node:26-trixie-slim AS build
WORKDIR /src
COPY . .
RUN npm ci --include=dev --include=optional
RUN npm run build --workspace @restic-manager/agent

FROM node:26-trixie-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates openssh-client rclone restic tini \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    RM_STATE_DIR=/var/lib/restic-manager-agent
COPY --from=build /src/apps/agent/dist/agent.cjs /opt/restic-manager/agent.cjs
COPY --chmod=0755 docker/agent-entry.sh /usr/local/bin/agent-entry
COPY LICENSE NOTICE /opt/restic-manager/
# Root on purpose: a backup has to read every user's files. Mount what it backs up read-only.
VOLUME /var/lib/restic-manager-agent
# tini reaps what restic's helpers leave behind and passes SIGTERM on: the agent stops its jobs in order.
ENTRYPOINT ["tini", "--", "agent-entry"]
