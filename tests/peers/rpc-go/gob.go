package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
	"reflect"
	"time"
)

type Record struct {
	N int64
	S string
	M map[string]int64
	P []byte
	C *Record
}

type Address struct{ X0, X1, X2, X3 uint8 }

type Log struct {
	Address                       Address
	Code                          uint16
	Identity, User, Date, Request string
	Size                          uint64
}

func record() Record {
	return Record{
		N: 23, S: "string data", M: map[string]int64{"one": 1, "two": 2, "three": 3}, P: []byte("abc"),
		C: &Record{N: 256, S: "Recursive structs? Piece of cake!", M: map[string]int64{"01": 1, "10": 2, "11": 3}},
	}
}

// The same 10,000 lines as tests/peers/codec/src/data.rs.
func logs() []Log {
	state := uint64(7)
	pick := func(limit int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int((state>>33)%(1<<24-1)) % limit
	}
	users := []string{"-", "alice", "bob", "carmen", "david", "eric", "frank", "george", "harry"}
	methods := []string{"GET", "POST", "PUT", "UPDATE", "DELETE"}
	paths := []string{"/favicon.ico", "/css/index.css", "/css/font-awsome.min.css", "/img/logo-full.svg",
		"/img/splash.jpg", "/api/login", "/api/logout"}
	months := []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	codes := []uint16{200, 201, 304, 400, 401, 403, 404, 500, 503}
	all := make([]Log, 10000)
	for i := range all {
		l := &all[i]
		l.Address = Address{uint8(pick(256)), uint8(pick(256)), uint8(pick(256)), uint8(pick(256))}
		l.Code = codes[pick(9)]
		l.Identity = "-"
		l.User = users[pick(9)]
		day, month, year := pick(28)+1, months[pick(12)], 1970+pick(55)
		l.Date = fmt.Sprintf("%d/%s/%d:%d:%d:%d", day, month, year, pick(24), pick(60), pick(60))
		l.Request = fmt.Sprintf("%s %s HTTP/1.1", methods[pick(5)], paths[pick(7)])
		l.Size = uint64(pick(100000000))
	}
	return all
}

// A codec with its types sent already, as a long connection has it.
type codec[T any] struct {
	value  T
	pipe   bytes.Buffer
	out    *gob.Encoder
	in     *gob.Decoder
	one    []byte
	source *bytes.Reader
}

func warm[T any](value T) *codec[T] {
	c := &codec[T]{value: value}
	c.out = gob.NewEncoder(&c.pipe)
	c.in = gob.NewDecoder(&c.pipe)
	for range 2 {
		check(c.out.Encode(value))
		c.one = bytes.Clone(c.pipe.Bytes())
		var back T
		check(c.in.Decode(&back))
		if !reflect.DeepEqual(back, value) {
			check(fmt.Errorf("gob: another value came back"))
		}
	}
	return c
}

func (c *codec[T]) encode() {
	c.pipe.Reset()
	check(c.out.Encode(c.value))
}

func (c *codec[T]) decode() {
	// The second message: without the types.
	c.pipe.Reset()
	c.pipe.Write(c.one)
	var back T
	check(c.in.Decode(&back))
}

// Answers each line on standard input, `record|logs encode|decode`, with nanoseconds.
func gobs() {
	r, l := warm(record()), warm(logs())
	fmt.Println(len(r.one), len(l.one))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		run := map[string]func(){"record encode": r.encode, "record decode": r.decode,
			"logs encode": l.encode, "logs decode": l.decode}[lines.Text()]
		begun, count := time.Now(), 0
		for time.Since(begun) < 4*time.Millisecond {
			for range 8 {
				run()
			}
			count += 8
		}
		fmt.Println(float64(time.Since(begun).Nanoseconds()) / float64(count))
	}
}
