// Clients that write to an etcd cluster, or read from it, one request each at a time.
//
//	etcd-load put|get ENDPOINTS CLIENTS CONNECTIONS SECONDS
//
// They speak etcd's own protocol (gRPC) by etcd's own client, to the leader alone: that saves the
// way over a follower. Prints requests a second, the 50th and the 99th percentile in
// microseconds, and how many failed. Reads are linearizable, which is etcd's default.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

// As in tests/peers/kv.
const (
	keys    = 1000
	value   = 128
	warming = 200 * time.Millisecond
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd-load:", err)
		os.Exit(1)
	}
}

func connect(endpoint string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	check(err)
	return client
}

// The endpoint of the node that leads.
func leader(endpoints []string) string {
	for _, endpoint := range endpoints {
		client := connect(endpoint)
		status, err := client.Status(context.Background(), endpoint)
		check(err)
		check(client.Close())
		if status.Header.MemberId == status.Leader {
			return endpoint
		}
	}
	check(fmt.Errorf("none of %v leads", endpoints))
	return ""
}

func request(client *clientv3.Client, what, key, bytes string) error {
	if what == "put" {
		_, err := client.Put(context.Background(), key, bytes)
		return err
	}
	reply, err := client.Get(context.Background(), key)
	if err == nil && len(reply.Kvs) == 1 && len(reply.Kvs[0].Value) != value {
		return fmt.Errorf("a value of %d bytes", len(reply.Kvs[0].Value))
	}
	return err
}

func main() {
	if len(os.Args) != 6 {
		check(fmt.Errorf("usage: etcd-load put|get ENDPOINTS CLIENTS CONNECTIONS SECONDS"))
	}
	what := os.Args[1]
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	connections, err := strconv.Atoi(os.Args[4])
	check(err)
	seconds, err := strconv.ParseFloat(os.Args[5], 64)
	check(err)
	target := leader(strings.Split(os.Args[2], ","))
	clients := make([]*clientv3.Client, connections)
	for i := range clients {
		clients[i] = connect(target)
		_, err := clients[i].Get(context.Background(), "a connection before the clock runs")
		check(err)
	}
	bytes := strings.Repeat("v", value)
	var warm, over, failed int64
	times := make([][]int64, count)
	var group sync.WaitGroup
	for i := 0; i < count; i++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			dice := rand.New(rand.NewSource(int64(number)))
			mine := make([]int64, 0, 1<<16)
			for atomic.LoadInt64(&over) == 0 {
				key := fmt.Sprintf("key-%04d", dice.Intn(keys))
				sent := time.Now()
				if err := request(clients[number%connections], what, key, bytes); err != nil {
					fmt.Fprintln(os.Stderr, "etcd-load:", err)
					atomic.AddInt64(&failed, 1)
					return
				}
				if atomic.LoadInt64(&warm) == 1 {
					mine = append(mine, int64(time.Since(sent)))
				}
			}
			times[number] = mine
		}(i)
	}
	time.Sleep(warming)
	atomic.StoreInt64(&warm, 1)
	begun := time.Now()
	time.Sleep(time.Duration(seconds * 1e9))
	atomic.StoreInt64(&over, 1)
	group.Wait()
	elapsed := time.Since(begun).Seconds()
	var all []int64
	for _, mine := range times {
		all = append(all, mine...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(part float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(float64(len(all))*part)]) / 1e3
	}
	fmt.Printf("%.0f %.1f %.1f %d\n", float64(len(all))/elapsed, at(0.5), at(0.99), failed)
}
