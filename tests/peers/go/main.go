// An echo server as a Go programmer writes it: a goroutine for each connection.
// Go sets TCP_NODELAY by default. Usage: echo-go NETWORK ADDRESS
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: echo-go tcp|udp|unix ADDRESS")
	}
	network, address := os.Args[1], os.Args[2]
	if network == "udp" {
		serveDatagrams(address)
		return
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", network, listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 16*1024)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if _, err := conn.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func serveDatagrams(address string) {
	resolved, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", resolved)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on udp", conn.LocalAddr())
	buffer := make([]byte, 65536)
	for {
		n, peer, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			log.Fatal(err)
		}
		conn.WriteToUDPAddrPort(buffer[:n], peer)
	}
}
