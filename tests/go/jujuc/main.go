// A hook-command program as Juju's own: all names in one program, each a call over the agent's socket with
// Go's net/rpc. With two calls where the command wants standard input.
package main

import (
	"fmt"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
)

// Request is what Juju 2.9 and 3.x send; 4.0 has no Token.
type Request struct {
	ContextId   string
	Dir         string
	CommandName string
	Args        []string
	StdinSet    bool
	Stdin       []byte
	Token       string
}

// ExecResponse is what the agent answers.
type ExecResponse struct {
	Code   int
	Stdout []byte
	Stderr []byte
}

const stdinWanted = "hook tool requires stdin, none supplied"

func run() (int, error) {
	request := Request{
		ContextId:   os.Getenv("JUJU_CONTEXT_ID"),
		CommandName: filepath.Base(os.Args[0]),
		Args:        os.Args[1:],
		Token:       os.Getenv("JUJU_AGENT_TOKEN"),
	}
	if request.ContextId == "" {
		return 1, fmt.Errorf("JUJU_CONTEXT_ID not set")
	}
	dir, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	request.Dir = dir
	network, address := os.Getenv("JUJU_AGENT_SOCKET_NETWORK"), os.Getenv("JUJU_AGENT_SOCKET_ADDRESS")
	for _, name := range []string{"JUJU_AGENT_SOCKET_ADDRESS", "JUJU_AGENT_SOCKET_NETWORK"} {
		if os.Getenv(name) == "" {
			return 1, fmt.Errorf("%s not set", name)
		}
	}
	client, err := rpc.Dial(network, address)
	if err != nil {
		return 1, err
	}
	defer client.Close()
	var response ExecResponse
	err = client.Call("Jujuc.Main", request, &response)
	if err != nil && err.Error() == stdinWanted {
		request.Stdin, err = io.ReadAll(os.Stdin)
		if err != nil {
			return 1, err
		}
		request.StdinSet = true
		err = client.Call("Jujuc.Main", request, &response)
	}
	if err != nil {
		return 1, err
	}
	os.Stdout.Write(response.Stdout)
	os.Stderr.Write(response.Stderr)
	return response.Code, nil
}

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "ERROR %s\n", strings.TrimSpace(err.Error()))
	}
	os.Exit(code)
}
