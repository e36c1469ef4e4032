package http

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dialGuarded dials public addresses, and private ones that are allowed by name, address or network.
func (c *Client) dialGuarded(ctx context.Context, network, address string) (net.Conn, error) {
	allowed := c.allow()
	named := allows(allowed, address)
	d := net.Dialer{KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(dialled)
		if err != nil || !named && Private(at.Addr()) && !allows(allowed, dialled) {
			return &Failure{Phase: Guard, Msg: "the host " + hostOf(address) + " is on a private network, and comes from data"}
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// allows reports whether a list of hosts, host:port pairs and networks holds an address.
func allows(list []string, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, notIP := netip.ParseAddr(host)
	for _, entry := range list {
		entry = strings.TrimSpace(entry)
		if net, err := netip.ParsePrefix(entry); err == nil && notIP == nil && net.Contains(ip.Unmap()) {
			return true
		}
		if strings.EqualFold(entry, host) || strings.EqualFold(entry, net.JoinHostPort(host, port)) {
			return true
		}
	}
	return false
}

// private are the networks beside those that netip knows: this machine, carriers, protocols, benchmarks, the future.
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("fec0::/10"),
}

// Networks of IPv6 that carry an address of IPv4 inside: where it begins.
var carrying = []struct {
	net netip.Prefix
	at  int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("::/96"), 12}, {netip.MustParsePrefix("2002::/16"), 2},
}

// Private reports whether an address belongs to this machine, a private network or none: what hosts named by data may
// not lead to. Addresses of IPv4 wrapped in IPv6 count as what they wrap.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
		return true
	}
	for _, net := range private {
		if net.Contains(a) {
			return true
		}
	}
	for _, c := range carrying {
		if c.net.Contains(a) {
			raw := a.As16()
			return Private(netip.AddrFrom4([4]byte(raw[c.at : c.at+4])))
		}
	}
	return netip.MustParsePrefix("64:ff9b:1::/48").Contains(a) || netip.MustParsePrefix("2001::/32").Contains(a)
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
