#!/bin/sh
# Starts the agent in its container. The first time it needs RM_SERVER_URL and RM_ENROLMENT_TOKEN to enrol.
set -eu
agent=${RM_AGENT_PROGRAM:-/opt/restic-manager/agent.cjs}

if [ -n "${RM_ENROLMENT_TOKEN:-}" ]; then
  set -- --server "${RM_SERVER_URL:?the address of the server}" --token "$RM_ENROLMENT_TOKEN"
  [ -z "${RM_HOST_NAME:-}" ] || set -- "$@" --name "$RM_HOST_NAME"
  [ "${RM_ALLOW_PLAIN_HTTP:-no}" != yes ] || set -- "$@" --allow-plain-http
  # Enrolled already: says so and changes nothing, so the used token may stay in the environment.
  node "$agent" enrol "$@"
fi

unset RM_ENROLMENT_TOKEN
# As scripts/processes.ts starts it; docs/decisions/lean-agent.md says why.
export NODE_COMPILE_CACHE="${RM_STATE_DIR:-/var/lib/restic-manager-agent}/code" MALLOC_ARENA_MAX=1
exec node --max-semi-space-size=1 --max-old-space-size=64 --no-opt --no-maglev --no-sparkplug --optimize-for-size "$agent" run
