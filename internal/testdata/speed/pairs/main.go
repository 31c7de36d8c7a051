// pairs runs two commands in turns and prints how the first compares with the second, by the medians of the run's time,
// of the processor time of the process, and of its peak memory. In turns, because a busy machine then slows both.
//
//	pairs [-n 31] [-line] [-each FILE] NAME COMMAND ARG… -- COMMAND ARG…
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

type runs struct{ wall, cpu, memory []float64 }

func main() {
	n := flag.Int("n", 31, "how often each runs")
	flag.BoolVar(&toFirstLine, "line", false, "run each until it has written a line")
	flag.Func("each", "put a line of this file in the place of {}, another for each run", func(file string) error {
		text, err := os.ReadFile(file)
		unused = strings.Fields(string(text))
		return err
	})
	flag.Parse()
	args := flag.Args()
	between := slices.Index(args, "--")
	if between < 2 || between == len(args)-1 {
		fmt.Fprintln(os.Stderr, "usage: pairs [-n 31] [-line] [-each FILE] NAME COMMAND ARG… -- COMMAND ARG…")
		os.Exit(64)
	}
	var ours, base runs
	for i := range *n + 1 {
		a, b := run(args[1:between]), run(args[between+1:])
		if i == 0 {
			continue // warms the caches
		}
		ours.add(a)
		base.add(b)
	}
	fmt.Printf("%-28s time %6.1f / %6.1f ms = %5.2f   cpu %6.1f / %6.1f ms = %5.2f   memory %5.1f / %5.1f MiB = %5.2f\n", args[0],
		median(ours.wall), median(base.wall), median(ours.wall)/median(base.wall),
		median(ours.cpu), median(base.cpu), median(ours.cpu)/median(base.cpu),
		median(ours.memory), median(base.memory), median(ours.memory)/median(base.memory))
}

var (
	toFirstLine bool
	unused      []string // of what takes the place of {}
)

type measured struct{ wall, cpu, memory float64 }

func (r *runs) add(m measured) {
	r.wall, r.cpu, r.memory = append(r.wall, m.wall), append(r.cpu, m.cpu), append(r.memory, m.memory)
}

// run runs a command whose output nobody reads. One that fails is no measurement.
func run(argv []string) measured {
	if i := slices.Index(argv, "{}"); i >= 0 {
		argv = slices.Clone(argv)
		argv[i], unused = unused[0], unused[1:]
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	begun := time.Now()
	took := end(cmd, begun)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return measured{
		wall:   float64(took.Microseconds()) / 1000,
		cpu:    float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / 1000,
		memory: float64(usage.Maxrss) / 1024, // in KiB on Linux
	}
}

// end runs a command to its end, or to its first line, and gives how long that took.
func end(cmd *exec.Cmd, begun time.Time) time.Duration {
	if !toFirstLine {
		check(cmd.Run())
		return time.Since(begun)
	}
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	check(err)
	took := time.Since(begun)
	check(cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	return took
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
