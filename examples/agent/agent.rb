# Tells an agent that the visitor added a product to the cart. AGENT_URL is the agent's address.
require "json"
require "net/http"
require "securerandom"

agent = URI(ENV.fetch("AGENT_URL", "http://127.0.0.1:8181"))
body = JSON.generate(
  market: "UK",
  customerKey: "d9528030-509c-4e0f-b585-7168f1e9feca",
  sessionKey: "b106299c-eac0-4f6f-96d2-93e57c255784",
  id: SecureRandom.uuid,
  ticket: "Oy9keW5hbWlj"
)
# Never through a proxy of the environment: the agent is on this machine.
http = Net::HTTP.new(agent.host, agent.port, nil)
http.open_timeout = http.read_timeout = http.write_timeout = 2
# A request that fails is not repeated behind our back.
http.max_retries = 0
answer = http.post("/api/v1/notifications/adding-to-cart", body, "Content-Type" => "application/json")
puts answer.body
abort "not accepted: #{answer.code}" unless answer.code == "202"
