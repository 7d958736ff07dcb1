/* A load balancer by a Maglev ring, in the style of Katran: the ring says which back end, and that where it is. */
#include "common.h"

#define RING 1021
#define KEY 4 /* where the key of 8 bytes is in the payload */

struct real {
	__be32 address;
	__be16 port;
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING);
	__type(key, __u32);
	__type(value, __u32);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct real);
} reals SEC(".maps");

SEC("xdp")
int balancer(struct xdp_md *ctx)
{
	struct packet p;
	struct real *real;
	__u64 hash = 0xcbf29ce484222325ULL;
	__u32 slot, *number;
	__u8 *key;

	if (!parse(ctx, &p, 0x0a000001, 4242, KEY + 8))
		return XDP_PASS;
	key = p.payload + KEY;
#pragma unroll
	for (int i = 0; i < 8; i++)
		hash = (hash ^ key[i]) * 0x100000001b3ULL;
	slot = hash % RING;
	number = bpf_map_lookup_elem(&ring, &slot);
	if (!number)
		return XDP_PASS;
	real = bpf_map_lookup_elem(&reals, number);
	if (!real)
		return XDP_PASS;
	redirect(&p, real->address, real->port);
	return XDP_PASS;
}
