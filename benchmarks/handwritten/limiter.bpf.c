/* So many datagrams a second of each source: a token bucket by virtual scheduling, kept as when it is full again. */
#include "common.h"

#define COST 1ULL /* nanoseconds until a token is back: 1,000,000,000 a second */
#define BURST 1000000ULL

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, __u64);
} full_at SEC(".maps");

SEC("xdp")
int limiter(struct xdp_md *ctx)
{
	__u64 now, *known, start, full;
	struct packet p;
	__be32 source;

	if (!parse(ctx, &p, 0x0a000001, 4242, 0))
		return XDP_PASS;
	now = bpf_ktime_get_ns();
	source = p.ip->saddr;
	known = bpf_map_lookup_elem(&full_at, &source);
	start = known && *known > now ? *known : now;
	full = start + COST;
	if (full - now > COST * BURST)
		return XDP_DROP;
	if (known)
		*known = full;
	else
		bpf_map_update_elem(&full_at, &source, &full, BPF_ANY);
	return XDP_PASS;
}
