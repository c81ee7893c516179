// A charm that does nothing but run the hook commands in BENCH_CALLS, one a line, and read their answers as
// JSON: what a dispatch costs in Go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	for _, line := range strings.Split(os.Getenv("BENCH_CALLS"), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		output, err := exec.Command(words[0], words[1:]...).Output()
		var answer interface{}
		if err == nil && len(output) > 0 {
			err = json.Unmarshal(output, &answer)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, words[0], err)
			os.Exit(1)
		}
	}
}
