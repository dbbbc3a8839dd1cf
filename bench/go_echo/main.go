// A grpc-go server with an empty handler: what a call costs when Go answers it.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

func empty(
	_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	message := new(emptypb.Empty)
	return message, decode(message)
}

// The argument is where to listen.
func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Floor",
		Methods:     []grpc.MethodDesc{{MethodName: "Empty", Handler: empty}},
	}, nil)
	log.Fatal(server.Serve(listener))
}
