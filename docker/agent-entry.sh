#!/bin/sh
# Starts the agent in its container. The first time it needs RM_SERVER_URL and RM_ENROLMENT_TOKEN to enrol.
set -eu
agent=${RM_AGENT_PROGRAM:-/opt/restic-manager/agent.mjs}

if [ -n "${RM_ENROLMENT_TOKEN:-}" ]; then
  set -- --server "${RM_SERVER_URL:?the address of the server}" --token "$RM_ENROLMENT_TOKEN"
  [ -z "${RM_HOST_NAME:-}" ] || set -- "$@" --name "$RM_HOST_NAME"
  [ "${RM_ALLOW_PLAIN_HTTP:-no}" != yes ] || set -- "$@" --allow-plain-http
  # Enrolled already: says so and changes nothing, so the used token may stay in the environment.
  node "$agent" enrol "$@"
fi

unset RM_ENROLMENT_TOKEN
exec node --max-semi-space-size=1 "$agent" run
