/* What the programs share: the way to a UDP datagram in a frame, as XDP programs are written by hand. They do what
 * Bertha's do, and no less: VLAN tags, IPv4 without options and fragments, lengths that hold together.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct vlan {
	__be16 tci;
	__be16 proto;
};

struct packet {
	struct iphdr *ip;
	struct udphdr *udp;
	void *payload;
	void *end;
	int tagged;
};

/* Find the datagram for an address and port; 0 if the frame is none, or if less than `least` bytes are in it. */
static __always_inline int parse(struct xdp_md *ctx, struct packet *p, __u32 address, __u16 port, __u32 least)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip;
	struct udphdr *udp;
	__be16 proto;
	__u16 total, length;

	if ((void *)(eth + 1) > end)
		return 0;
	proto = *(__be16 *)(data + 12); /* h_proto: of a packed struct, which is read by bytes */
	ip = (void *)(eth + 1);
	p->tagged = proto == bpf_htons(ETH_P_8021Q);
	if (p->tagged) {
		struct vlan *vlan = (void *)(eth + 1);

		if ((void *)(vlan + 1) > end)
			return 0;
		proto = vlan->proto;
		ip = (void *)(vlan + 1);
	}
	if (proto != bpf_htons(ETH_P_IP) || (void *)(ip + 1) > end)
		return 0;
	if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(0x3fff))
		return 0;
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) + least > end)
		return 0;
	if (ip->daddr != bpf_htonl(address) || udp->dest != bpf_htons(port))
		return 0;
	total = bpf_ntohs(ip->tot_len);
	length = bpf_ntohs(udp->len);
	if (total < sizeof(*ip) + sizeof(*udp) + least || length < sizeof(*udp) + least)
		return 0;
	if (total > end - (void *)ip || length > total - sizeof(*ip))
		return 0;
	p->ip = ip;
	p->udp = udp;
	p->payload = udp + 1;
	p->end = end;
	return 1;
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Send a datagram to another address and port, with both checksums updated (RFC 1624). */
static __always_inline void redirect(struct packet *p, __be32 address, __be16 port)
{
	__be32 old = p->ip->daddr;
	__u32 ip = (~old & 0xffff) + (~old >> 16) + (address & 0xffff) + (address >> 16);
	__u32 udp = ip + (~p->udp->dest & 0xffff) + port;

	p->ip->check = ~fold((~p->ip->check & 0xffff) + ip);
	if (p->udp->check) {
		p->udp->check = ~fold((~p->udp->check & 0xffff) + udp);
		if (!p->udp->check)
			p->udp->check = 0xffff;
	}
	p->ip->daddr = address;
	p->udp->dest = port;
}
