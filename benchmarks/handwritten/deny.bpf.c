/* A deny list of source prefixes, in the style of xdp-filter: a trie. */
#include "common.h"

struct key {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key);
	__type(value, __u32);
} denied SEC(".maps");

SEC("xdp")
int deny(struct xdp_md *ctx)
{
	struct packet p;
	struct key key = { .length = 32 };

	if (!parse(ctx, &p, 0x0a000001, 4242, 0))
		return XDP_PASS;
	key.address = p.ip->saddr;
	return bpf_map_lookup_elem(&denied, &key) ? XDP_DROP : XDP_PASS;
}
