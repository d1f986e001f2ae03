// A load balancer as a Go programmer writes it: httputil.ReverseProxy over the backends in turn.
//
// Usage: proxy-go plain|tuned ADDRESS BACKEND...
//
// Plain is what a beginner writes: http.DefaultTransport, which keeps two idle connections to a backend and
// asks for compression in the client's place. Tuned keeps a connection for each client and reuses its buffers.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) < 4 || os.Args[1] != "plain" && os.Args[1] != "tuned" {
		log.Fatal("usage: proxy-go plain|tuned ADDRESS BACKEND...")
	}
	proxy := &httputil.ReverseProxy{Rewrite: roundRobin(os.Args[3:])}
	if os.Args[1] == "tuned" {
		tune(proxy)
	}
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on tcp", listener.Addr())
	log.Fatal(http.Serve(listener, proxy))
}

func roundRobin(addresses []string) func(*httputil.ProxyRequest) {
	var backends []*url.URL
	for _, address := range addresses {
		backend, err := url.Parse(address)
		if err != nil {
			log.Fatal(err)
		}
		backends = append(backends, backend)
	}
	var turn atomic.Uint64
	return func(request *httputil.ProxyRequest) {
		request.SetURL(backends[turn.Add(1)%uint64(len(backends))])
		request.SetXForwarded()
	}
}

func tune(proxy *httputil.ReverseProxy) {
	proxy.Transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConns:        0, // no limit
		MaxIdleConnsPerHost: 4096,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		ReadBufferSize:      16 << 10,
		WriteBufferSize:     16 << 10,
	}
	proxy.BufferPool = &buffers{sync.Pool{New: func() any { return make([]byte, 64<<10) }}}
	proxy.ErrorLog = log.New(io.Discard, "", 0)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte       { return b.pool.Get().([]byte) }
func (b *buffers) Put(buffer []byte) { b.pool.Put(buffer) }
