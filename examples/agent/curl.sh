#!/bin/sh
# Tells an agent that the visitor added a product to the cart. AGENT_URL is the agent's address; with AGENT_SOCKET, the
# request goes over that Unix socket.
set -eu

id=$(cat /proc/sys/kernel/random/uuid)
curl --silent --show-error --fail-with-body --max-time 2 ${AGENT_SOCKET:+--unix-socket "$AGENT_SOCKET"} \
    --header "Content-Type: application/json" \
    --data "{\"market\":\"UK\",\"customerKey\":\"d9528030-509c-4e0f-b585-7168f1e9feca\",\"sessionKey\":\"b106299c-eac0-4f6f-96d2-93e57c255784\",\"id\":\"$id\",\"ticket\":\"Oy9keW5hbWlj\"}" \
    "${AGENT_URL:-http://127.0.0.1:8181}/api/v1/notifications/adding-to-cart"
