// One tiny method, Add, served and called by Go's net/rpc with gob.
//
//	rpc-go server                                     prints its address
//	rpc-go client ADDRESS CALLERS CONNECTIONS SECONDS
//
//	rpc-go gob                                        measures gob as it is asked to (gob.go)
//
// The client prints calls a second, the 50th and the 99th percentile in microseconds, and how
// many results were wrong.
package main

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type Sums struct{}

type Pair struct{ A, B int64 }

func (Sums) Add(pair Pair, sum *int64) error {
	*sum = pair.A + pair.B
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() {
	check(rpc.Register(Sums{}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr())
	rpc.Accept(listener)
}

func call(address string, callers, connections int, seconds float64) {
	clients := make([]*rpc.Client, connections)
	for i := range clients {
		client, err := rpc.Dial("tcp", address)
		check(err)
		clients[i] = client
	}
	var over atomic.Bool
	var wrong atomic.Int64
	var group sync.WaitGroup
	times := make([][]int64, callers)
	begun := time.Now()
	for caller := range callers {
		group.Add(1)
		go func() {
			defer group.Done()
			client := clients[caller%connections]
			mine := make([]int64, 0, 1<<20)
			for n := int64(0); !over.Load(); n++ {
				var sum int64
				sent := time.Now()
				check(client.Call("Sums.Add", Pair{int64(caller), n}, &sum))
				mine = append(mine, int64(time.Since(sent)))
				if sum != int64(caller)+n {
					wrong.Add(1)
				}
			}
			times[caller] = mine
		}()
	}
	time.Sleep(time.Duration(seconds * 1e9))
	over.Store(true)
	group.Wait()
	elapsed := time.Since(begun)
	all := slices.Concat(times...)
	slices.Sort(all)
	at := func(part float64) float64 { return float64(all[int(float64(len(all))*part)]) / 1e3 }
	fmt.Printf("%.0f %.1f %.1f %d\n", float64(len(all))/elapsed.Seconds(), at(0.5), at(0.99), wrong.Load())
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "server" {
		serve()
	} else if len(os.Args) == 2 && os.Args[1] == "gob" {
		gobs()
	} else if len(os.Args) == 6 && os.Args[1] == "client" {
		callers, err := strconv.Atoi(os.Args[3])
		check(err)
		connections, err := strconv.Atoi(os.Args[4])
		check(err)
		seconds, err := strconv.ParseFloat(os.Args[5], 64)
		check(err)
		call(os.Args[2], callers, connections, seconds)
	} else {
		fmt.Fprintln(os.Stderr, "usage: rpc-go server | gob | client ADDRESS CALLERS CONNECTIONS SECONDS")
		os.Exit(2)
	}
}
