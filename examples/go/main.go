// A server of Go for allowed API keys: `go run . 127.0.0.1:8000`.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	ipgate "ipgate.example/guard/gen/ipgate/v1"
)

// Calls go to all addresses of the server in turn, and are made again while it is unavailable.
const serviceConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"methodConfig": [{
		"name": [{"service": "ipgate.v1.AuthorizeService"}],
		"retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.05s",
			"backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}
	}]
}`

type guard struct {
	client ipgate.AuthorizeServiceClient
	token  string
}

// status is that for an end client: 200 only if ipgate says so. Whatever fails is a denial.
func (g guard) status(request *http.Request) int {
	keys := request.Header.Values("X-Api-Key")
	if len(keys) != 1 || keys[0] == "" {
		return http.StatusUnauthorized
	}
	ctx, cancel := context.WithTimeout(request.Context(), 200*time.Millisecond)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+g.token)
	answer, err := g.client.Authorize(ctx, &ipgate.AuthorizeRequest{
		Subject: &ipgate.AuthorizeRequest_Key{Key: keys[0]},
		// The server finds the client's address behind its --trusted-proxies.
		Origin: &ipgate.AuthorizeRequest_Forwarded{Forwarded: &ipgate.Forwarded{
			Peer:          request.RemoteAddr,
			XForwardedFor: request.Header.Values("X-Forwarded-For"),
			Forwarded:     request.Header.Values("Forwarded"),
		}},
	})
	switch {
	case err != nil:
		log.Printf("not decided: %v", err)
		return http.StatusServiceUnavailable
	case !answer.GetAllowed():
		return http.StatusForbidden
	default:
		return http.StatusOK
	}
}

func (g guard) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	if status := g.status(request); status != http.StatusOK {
		http.Error(response, "denied", status)
		return
	}
	fmt.Fprintln(response, "orders")
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	token, err := os.ReadFile(variable("IPGATE_TOKEN_FILE", "token"))
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(
		variable("IPGATE_SERVER", "127.0.0.1:50051"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
	)
	if err != nil {
		log.Fatal(err)
	}
	guarded := guard{ipgate.NewAuthorizeServiceClient(connection), strings.TrimSpace(string(token))}
	address := "127.0.0.1:8000"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	log.Fatal(http.ListenAndServe(address, guarded))
}
