import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.UUID;

/** Tells an agent that the visitor added a product to the cart. AGENT_URL is the agent's address. */
public class Agent {
    public static void main(String[] arguments) throws Exception {
        String agent = System.getenv().getOrDefault("AGENT_URL", "http://127.0.0.1:8181");
        // A shop has a JSON library for this; its keys and tickets may need escapes.
        String body = "{\"market\":\"UK\",\"customerKey\":\"d9528030-509c-4e0f-b585-7168f1e9feca\","
                + "\"sessionKey\":\"b106299c-eac0-4f6f-96d2-93e57c255784\",\"id\":\"" + UUID.randomUUID() + "\","
                + "\"ticket\":\"Oy9keW5hbWlj\"}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(agent + "/api/v1/notifications/adding-to-cart"))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(2))
                .POST(BodyPublishers.ofString(body))
                .build();
        // Make one client, and keep it. HTTP/1.1: the agent speaks nothing else.
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        var answer = client.send(request, BodyHandlers.ofString());
        System.out.print(answer.body());
        if (answer.statusCode() != 202) {
            System.err.println("not accepted: " + answer.statusCode());
            System.exit(1);
        }
    }
}
