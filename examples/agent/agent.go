// Tells an agent that the visitor added a product to the cart. AGENT_URL is the agent's address; with AGENT_SOCKET, the
// request goes over that Unix socket.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	agent := os.Getenv("AGENT_URL")
	if agent == "" {
		agent = "http://127.0.0.1:8181"
	}
	// Make one client, and keep it. Without Proxy, none of the environment is used.
	transport := &http.Transport{}
	if socket := os.Getenv("AGENT_SOCKET"); socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	client := &http.Client{Transport: transport, Timeout: 2 * time.Second}

	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		fail(err)
	}
	body, err := json.Marshal(map[string]string{
		"market":      "UK",
		"customerKey": "d9528030-509c-4e0f-b585-7168f1e9feca",
		"sessionKey":  "b106299c-eac0-4f6f-96d2-93e57c255784",
		"id":          fmt.Sprintf("%x", id),
		"ticket":      "Oy9keW5hbWlj",
	})
	if err != nil {
		fail(err)
	}
	answer, err := client.Post(agent+"/api/v1/notifications/adding-to-cart", "application/json", bytes.NewReader(body))
	if err != nil {
		fail(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		fail(err)
	}
	if answer.StatusCode != http.StatusAccepted {
		fail(fmt.Errorf("%d", answer.StatusCode))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "not accepted:", err)
	os.Exit(1)
}
