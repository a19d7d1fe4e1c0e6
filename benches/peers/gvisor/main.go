// gVisor's netstack behind a plain TUN device: echo on port 7, discard on 9, a stream without end on 19 and HTTP on 80.
//
//	gvisor-peer TUN ADDRESS/PREFIX MTU CONTROL
//
// The interface has to exist, with its address, and be up. Its stock link for file descriptors refuses a virtio-net
// header on a TUN device, so there are no super-packets.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Bytes of the largest send and receive buffer of a connection, of one call, and of requests at once.
const (
	buffer   = 4 << 20
	piece    = 64 << 10
	requests = 4 << 10
)

var answer = []byte("HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: benchmark\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nok\n")

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: gvisor-peer TUN ADDRESS/PREFIX MTU CONTROL")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintf(os.Stderr, "gvisor-peer: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func serve(name, prefix, mtu, control string) error {
	ip, network, err := net.ParseCIDR(prefix)
	if err != nil {
		return err
	}
	ones, _ := network.Mask.Size()
	size, err := strconv.ParseUint(mtu, 10, 16)
	if err != nil {
		return err
	}
	fd, err := tun.Open(name)
	if err != nil {
		return err
	}
	link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: uint32(size)})
	if err != nil {
		return err
	}
	address := tcpip.AddressWithPrefix{Address: tcpip.Address(ip.To4()), PrefixLen: ones}
	netstack, err := newStack(link, address, control)
	if err != nil {
		return err
	}
	services := map[uint16]func(net.Conn){7: echo, 9: discard, 19: chargen, 80: answerRequests}
	for port, service := range services {
		end := tcpip.FullAddress{NIC: 1, Addr: address.Address, Port: port}
		listener, err := gonet.ListenTCP(netstack, end, ipv4.ProtocolNumber)
		if err != nil {
			return err
		}
		go accept(listener, service)
	}
	fmt.Printf("ready %s %s\n", name, prefix)
	select {}
}

func newStack(link stack.LinkEndpoint, address tcpip.AddressWithPrefix, control string) (*stack.Stack, error) {
	netstack := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: buffer, Max: buffer}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: buffer, Max: buffer}
	sack, congestion := tcpip.TCPSACKEnabled(true), tcpip.CongestionControlOption(control)
	for _, option := range []tcpip.SettableTransportProtocolOption{&send, &receive, &sack, &congestion} {
		if err := netstack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return nil, fmt.Errorf("%T: %v", option, err)
		}
	}
	if err := netstack.CreateNIC(1, link); err != nil {
		return nil, fmt.Errorf("interface: %v", err)
	}
	protocol := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: address}
	if err := netstack.AddProtocolAddress(1, protocol, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("address: %v", err)
	}
	netstack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	return netstack, nil
}

func accept(listener net.Listener, service func(net.Conn)) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			service(connection)
		}()
	}
}

func echo(connection net.Conn) {
	bytes := make([]byte, piece)
	for {
		count, err := connection.Read(bytes)
		if err != nil {
			return
		}
		if _, err := connection.Write(bytes[:count]); err != nil {
			return
		}
	}
}

func discard(connection net.Conn) {
	bytes := make([]byte, piece)
	for {
		if _, err := connection.Read(bytes); err != nil {
			return
		}
	}
}

func chargen(connection net.Conn) {
	bytes := make([]byte, piece)
	for {
		if _, err := connection.Write(bytes); err != nil {
			return
		}
	}
}

// answerRequests gives one answer to each empty line.
func answerRequests(connection net.Conn) {
	end := []byte("\r\n\r\n")
	input, output := make([]byte, 0, requests), make([]byte, 0, requests)
	for {
		count, err := connection.Read(input[len(input):cap(input)])
		// A head that fills all of it is no request of the client's.
		if err != nil || count == 0 {
			return
		}
		input, output = input[:len(input)+count], output[:0]
		last := bytes.Contains(input, []byte(": close"))
		for at := bytes.Index(input, end); at >= 0; at = bytes.Index(input, end) {
			output = append(output, answer...)
			input = input[:copy(input, input[at+len(end):])]
		}
		if _, err := connection.Write(output); err != nil || last {
			return
		}
	}
}
