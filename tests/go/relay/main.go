// An agent that has another one do the work: serves hook commands with Go's net/rpc on a socket of its own,
// asks the real agent with Go's net/rpc, and runs a program between the two.
//
//	relay [-address @NAME] [-token TOKEN] [-no-token-field] [-break COMMAND [-break-before]] PROGRAM
//
// The exit code is the program's.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Request is the form of Juju 2.9 and 3.x.
type Request struct {
	ContextId   string
	Dir         string
	CommandName string
	Args        []string
	StdinSet    bool
	Stdin       []byte
	Token       string
}

// RequestWithoutToken is the form of Juju 4.0.
type RequestWithoutToken struct {
	ContextId   string
	Dir         string
	CommandName string
	Args        []string
	StdinSet    bool
	Stdin       []byte
}

// ExecResponse is what the agent answers.
type ExecResponse struct {
	Code   int
	Stdout []byte
	Stderr []byte
}

var (
	address      = flag.String("address", "", "where to listen; a file beside the charm without this")
	token        = flag.String("token", "", "what the caller has to say")
	noTokenField = flag.Bool("no-token-field", false, "serve and send the form of Juju 4.0")
	breakAt      = flag.String("break", "", "the command at which the connection to the caller ends")
	breakBefore  = flag.Bool("break-before", false, "end it before the command runs rather than after")
)

// A connection to a caller, and one to the agent.
type session struct {
	caller net.Conn
	agent  *rpc.Client
	mutex  sync.Mutex
}

func (s *session) do(request Request, response *ExecResponse) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if request.Token != *token {
		return errors.New("bad request: token does not match")
	}
	request.Token = ""
	isBreak := request.CommandName == *breakAt
	if isBreak && *breakBefore {
		s.caller.Close()
		return errors.New("closed")
	}
	var err error
	if *noTokenField {
		err = s.agent.Call("Jujuc.Main", RequestWithoutToken{
			request.ContextId, request.Dir, request.CommandName, request.Args, request.StdinSet, request.Stdin,
		}, response)
	} else {
		err = s.agent.Call("Jujuc.Main", request, response)
	}
	if isBreak {
		s.caller.Close()
	}
	return err
}

// Jujuc is the service, in one of its forms.
type Jujuc struct{ *session }

// Main runs a command.
func (j Jujuc) Main(request Request, response *ExecResponse) error { return j.do(request, response) }

// JujucWithoutToken is the service of Juju 4.0.
type JujucWithoutToken struct{ *session }

// Main runs a command.
func (j JujucWithoutToken) Main(r RequestWithoutToken, response *ExecResponse) error {
	return j.do(Request{r.ContextId, r.Dir, r.CommandName, r.Args, r.StdinSet, r.Stdin, *token}, response)
}

func serve(listener net.Listener) {
	for {
		caller, err := listener.Accept()
		if err != nil {
			return
		}
		agent, err := rpc.Dial(os.Getenv("JUJU_AGENT_SOCKET_NETWORK"), os.Getenv("JUJU_AGENT_SOCKET_ADDRESS"))
		if err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			caller.Close()
			continue
		}
		server, s := rpc.NewServer(), &session{caller: caller, agent: agent}
		if *noTokenField {
			err = server.RegisterName("Jujuc", JujucWithoutToken{s})
		} else {
			err = server.RegisterName("Jujuc", Jujuc{s})
		}
		if err != nil {
			panic(err)
		}
		go func() {
			server.ServeConn(caller)
			agent.Close()
		}()
	}
}

func main() {
	flag.Parse()
	if *address == "" {
		*address = filepath.Join(os.Getenv("JUJU_CHARM_DIR"), "..", "relay.socket")
	}
	os.Remove(*address)
	listener, err := net.Listen("unix", *address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(70)
	}
	go serve(listener)
	program := exec.Command(flag.Arg(0), flag.Args()[1:]...)
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
	program.Env = append(os.Environ(), "JUJU_AGENT_SOCKET_ADDRESS="+*address, "JUJU_AGENT_TOKEN="+*token)
	err = program.Run()
	listener.Close()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(70)
	}
}
