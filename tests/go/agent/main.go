// An agent that answers by itself, served with Go's net/rpc. Listens at the address in its first argument,
// in Juju's spelling, until its standard input ends. Prints a line when it listens.
//
//	echo ARG...     the arguments, one a line
//	bytes COUNT     as many bytes
//	count           the length of standard input, which it wants
//	code CODE       ends with that code
//	token           the token that it was told
//	refuse TEXT     is refused with that text
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"strconv"
	"strings"
)

// Request is the form of Juju 2.9 and 3.x, which a caller without a token may use too.
type Request struct {
	ContextId   string
	Dir         string
	CommandName string
	Args        []string
	StdinSet    bool
	Stdin       []byte
	Token       string
}

// ExecResponse is what the agent answers, and a field of a later one.
type ExecResponse struct {
	Code    int
	Stdout  []byte
	Stderr  []byte
	Later   map[string][]string
	Elapsed float64
}

// Jujuc is the service.
type Jujuc struct{}

// Main runs a command.
func (Jujuc) Main(request Request, response *ExecResponse) error {
	response.Later = map[string][]string{"a": {"b", "c"}}
	response.Elapsed = 0.25
	first := ""
	if len(request.Args) > 0 {
		first = request.Args[0]
	}
	number, _ := strconv.Atoi(first)
	switch request.CommandName {
	case "echo":
		response.Stdout = []byte(strings.Join(request.Args, "\n"))
	case "bytes":
		response.Stdout = bytes.Repeat([]byte{'x'}, number)
	case "count":
		if !request.StdinSet {
			return errors.New("hook tool requires stdin, none supplied")
		}
		response.Stdout = []byte(strconv.Itoa(len(request.Stdin)))
	case "code":
		response.Code = number
		response.Stderr = []byte("ERROR as asked\n")
	case "token":
		response.Stdout = []byte(request.Token)
	case "refuse":
		return errors.New(first)
	default:
		return errors.New("bad request: unknown command: " + request.CommandName)
	}
	return nil
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := rpc.RegisterName("Jujuc", Jujuc{}); err != nil {
		panic(err)
	}
	go rpc.Accept(listener)
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin)
}
