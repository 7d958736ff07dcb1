/* A key-value store's requests to one of its shards by a hash of the key, as Bertha's own XDP program does it. */
#include "common.h"

#define KEY 4 /* where the key of 8 bytes is in the payload */

struct shard {
	__be32 address;
	__be16 port;
	__u16 pad;
};

/* Filled by the loader; as many as were deployed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct shard);
} shards SEC(".maps");

volatile const __u32 count = 3;

SEC("xdp")
int sharder(struct xdp_md *ctx)
{
	struct packet p;
	struct shard *shard;
	__u64 hash = 0xcbf29ce484222325ULL;
	__u32 index;
	__u8 *key;

	if (!parse(ctx, &p, 0x0a000001, 4242, KEY + 8))
		return XDP_PASS;
	key = p.payload + KEY;
#pragma unroll
	for (int i = 0; i < 8; i++)
		hash = (hash ^ key[i]) * 0x100000001b3ULL;
	index = hash % count;
	shard = bpf_map_lookup_elem(&shards, &index);
	if (!shard)
		return XDP_PASS;
	redirect(&p, shard->address, shard->port);
	return XDP_PASS;
}
