/* An end of a VXLAN tunnel, in the style of Katran's encapsulation: headers are moved into the room in front of the
 * frame, the inner ones are written into the gap, and the checksums are updated.
 */
#include "common.h"

struct vxlanhdr {
	__be32 flags;
	__be32 vni;
};

struct inner {
	__be16 dst[3];
	__be16 src[3];
	__be16 proto;
};

#define MORE ((int)(sizeof(struct vxlanhdr) + sizeof(struct inner)))
#define UNTAGGED (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr))
#define TAGGED (UNTAGGED + sizeof(struct vlan))

/* Move the first bytes of the frame to its new start, by words: memmove would do it byte by byte. */
static __always_inline void to_front(void *data, __u32 bytes)
{
	__u32 at = 0;

#pragma unroll
	for (; at + 8 <= bytes; at += 8)
		*(__u64 *)(data + at) = *(__u64 *)(data + at + MORE);
	if (bytes - at >= 4) {
		*(__u32 *)(data + at) = *(__u32 *)(data + at + MORE);
		at += 4;
	}
	*(__u16 *)(data + at) = *(__u16 *)(data + at + MORE);
}

SEC("xdp")
int vxlan(struct xdp_md *ctx)
{
	struct vxlanhdr *vx;
	struct inner *eth;
	__be16 total, length;
	struct iphdr *ip;
	struct udphdr *udp;
	struct packet p;
	void *data, *end;
	__u32 sum = 0;

	if (!parse(ctx, &p, 0x0a000001, 4242, 0))
		return XDP_PASS;
	if (bpf_ntohs(p.ip->tot_len) > 0xffff - MORE || bpf_xdp_adjust_head(ctx, -MORE))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (p.tagged) {
		if (data + TAGGED + MORE > end)
			return XDP_DROP;
		to_front(data, TAGGED);
		ip = data + sizeof(struct ethhdr) + sizeof(struct vlan);
	} else {
		if (data + UNTAGGED + MORE > end)
			return XDP_DROP;
		to_front(data, UNTAGGED);
		ip = data + sizeof(struct ethhdr);
	}
	udp = (void *)(ip + 1);
	vx = (void *)(udp + 1);
	vx->flags = bpf_htonl(0x08000000);
	vx->vni = bpf_htonl(7 << 8);
	eth = (void *)(vx + 1);
	eth->dst[0] = bpf_htons(0x0200);
	eth->dst[1] = 0;
	eth->dst[2] = bpf_htons(1);
	eth->src[0] = bpf_htons(0x0200);
	eth->src[1] = 0;
	eth->src[2] = bpf_htons(2);
	eth->proto = bpf_htons(0x88b5);

	total = bpf_htons(bpf_ntohs(ip->tot_len) + MORE);
	ip->check = ~fold((~ip->check & 0xffff) + (~ip->tot_len & 0xffff) + total);
	ip->tot_len = total;
	length = bpf_htons(bpf_ntohs(udp->len) + MORE);
	if (udp->check) {
		/* the length is in the header and in the pseudo-header; the rest is what the inner headers come to */
		sum = (~udp->check & 0xffff) + 2 * ((~udp->len & 0xffff) + length);
		sum += bpf_htons(0x0800) + bpf_htons(7 << 8) + 2 * bpf_htons(0x0200) + bpf_htons(1) + bpf_htons(2) +
		       bpf_htons(0x88b5);
		udp->check = ~fold(sum);
		if (!udp->check)
			udp->check = 0xffff;
	}
	udp->len = length;
	return XDP_PASS;
}
