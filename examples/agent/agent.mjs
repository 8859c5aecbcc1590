// Tells an agent that the visitor added a product to the cart. AGENT_URL is the agent's address; with AGENT_SOCKET, the
// request goes over that Unix socket.
import { randomUUID } from "node:crypto";
import http from "node:http";

const body = JSON.stringify({
  market: "UK",
  customerKey: "d9528030-509c-4e0f-b585-7168f1e9feca",
  sessionKey: "b106299c-eac0-4f6f-96d2-93e57c255784",
  id: randomUUID(),
  ticket: "Oy9keW5hbWlj",
});
const url = new URL("/api/v1/notifications/adding-to-cart", process.env.AGENT_URL ?? "http://127.0.0.1:8181");
const request = http.request(url, {
  method: "POST",
  headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
  socketPath: process.env.AGENT_SOCKET || undefined,
  timeout: 2000,
});
request.on("timeout", () => request.destroy(new Error("the agent does not answer")));
request.on("error", (error) => {
  console.error(`not accepted: ${error.message}`);
  process.exitCode = 1;
});
request.on("response", async (response) => {
  for await (const part of response) {
    process.stdout.write(part);
  }
  if (response.statusCode !== 202) {
    console.error(`not accepted: ${response.statusCode}`);
    process.exitCode = 1;
  }
});
request.end(body);
