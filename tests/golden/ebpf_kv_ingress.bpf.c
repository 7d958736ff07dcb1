/* kv_ingress: what the kernel of h1 runs at XDP: shard.packet.
 * Active: the plan runs this program.
 * Written by Bertha; changes are lost when it is compiled again.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOT_TAKEN (-2)
/* Keeps the compiler from knowing where a value comes from, and so from leaving out a check of its range, or computing
 * with the end of the packet, neither of which the verifier allows.
 */
#define HIDE(x) asm volatile("" : "+r"(x))

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct shard_shards_row {
	__u32 v0; __u32 v1;
};
struct {
	__u32 count;
	struct shard_shards_row rows[64];
} shard_shards SEC(".data.shard_shards") = {
	.count = 3,
	.rows = {
			{ 0xa000001U, 9001U },
			{ 0xa000001U, 9002U },
			{ 0xa000002U, 9003U }
	},
};

/* What a changed value adds to the one's complement sum of what a checksum covers (RFC 1624, equation 3). Values, sums
 * and checksums are as they lie in the packet: such a sum does not depend on the order of bytes.
 */
static __always_inline __u64 change_16(__u64 old, __u64 fresh)
{
	return 0xffff - old + fresh;
}

/* As change_16, for two words. */
static __always_inline __u64 change_32(__u64 old, __u64 fresh)
{
	return 0x1fffe - (old & 0xffff) - (old >> 16) + (fresh & 0xffff) + (fresh >> 16);
}

static __always_inline __u64 folded(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline void fix_checksum(unsigned char *checksum, __u64 delta)
{
	*(__be16 *)checksum = ~folded(0xffff - *(__be16 *)checksum + delta);
}

/* A checksum of 0 means that there is none; one that comes to 0 is sent as 0xffff (RFC 768). */
static __always_inline void fix_optional_checksum(unsigned char *checksum, __u64 delta)
{
	__u64 sum = folded(0xffff - *(__be16 *)checksum + delta);

	if (*(__be16 *)checksum)
		*(__be16 *)checksum = sum == 0xffff ? 0xffff : ~sum;
}

/* kv_request: shard.packet */
static __always_inline int take_kv_request(struct xdp_md *ctx, __u32 frame_size, unsigned char *ipv4,
		unsigned char *udp, unsigned char *KvRequest, __u64 ipv4_rest)
{
	if (!(bpf_ntohl(*(__be32 *)(ipv4 + 16)) == 0xa000001U))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) <= ipv4_rest))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) >= 28U))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(udp + 4)) <= ((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) - 20U)))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(udp + 4)) >= 34U))
		return NOT_TAKEN;
	__u64 ipv4_delta = 0;
	__u64 udp_delta = 0;
	__u64 step = ((0xcbf29ce484222325ULL ^ (__u64)(__u32)*(KvRequest + 18)) * 0x100000001b3ULL);
	__u64 step_2 = (((step ^ (__u64)(__u32)*(KvRequest + 19)) * 0x100000001b3ULL) ^ (__u64)(__u32)*(KvRequest + 20));
	__u64 step_3 = (((step_2 * 0x100000001b3ULL) ^ (__u64)(__u32)*(KvRequest + 21)) * 0x100000001b3ULL);
	__u64 step_4 = (((step_3 ^ (__u64)(__u32)*(KvRequest + 22)) * 0x100000001b3ULL) ^ (__u64)(__u32)*(KvRequest + 23));
	__u64 step_5 = (((step_4 * 0x100000001b3ULL) ^ (__u64)(__u32)*(KvRequest + 24)) * 0x100000001b3ULL);
	__u32 index = (__u32)(((step_5 ^ (__u64)(__u32)*(KvRequest + 25)) * 0x100000001b3ULL) % 3ULL);
	__u64 key = index;
	HIDE(key);
	if (key >= 64)
		return XDP_PASS;
	struct shard_shards_row *shard_shards_row = &shard_shards.rows[key];
	__u32 to_ip = shard_shards_row->v0;
	__u32 to_port = shard_shards_row->v1;
	ipv4_delta += change_32(*(__be32 *)(ipv4 + 16), bpf_htonl(to_ip));
	udp_delta += change_32(*(__be32 *)(ipv4 + 16), bpf_htonl(to_ip));
	*(__be32 *)(ipv4 + 16) = bpf_htonl(to_ip);
	udp_delta += change_16(*(__be16 *)(udp + 2), bpf_htons(to_port));
	*(__be16 *)(udp + 2) = bpf_htons(to_port);
	fix_checksum(ipv4 + 10, ipv4_delta);
	fix_optional_checksum(udp + 6, udp_delta);
	return XDP_PASS;
}

SEC("xdp")
int kv_ingress(struct xdp_md *ctx)
{
	unsigned char *data = (unsigned char *)(long)ctx->data;
	unsigned char *end = (unsigned char *)(long)ctx->data_end;
	__u32 frame_size = end - data;

	unsigned char *ipv4 = 0;
	unsigned char *udp = 0;
	unsigned char *KvRequest = 0;
	__u64 ipv4_rest = 0;
	unsigned char *at = data;
	int verdict;

	if (at + 68 > end) {
		return XDP_PASS;
	}
	if (*(__be16 *)(at + 12) == bpf_htons(2048U)) {
		at += 14;
		goto parse_ipv4;
	}
	if (*(__be16 *)(at + 12) == bpf_htons(33024U)) {
		at += 14;
		goto parse_vlan;
	}
	return XDP_PASS;
parse_vlan:
	if (at + 58 > end) {
		return XDP_PASS;
	}
	if (*(__be16 *)(at + 2) == bpf_htons(2048U)) {
		at += 4;
		goto parse_ipv4;
	}
	return XDP_PASS;
parse_ipv4:
	ipv4 = at;
	ipv4_rest = end - at;
	HIDE(ipv4_rest);
	if (*(at + 0) == 69U && ((__u32)bpf_ntohs(*(__be16 *)(at + 6)) & 0x3fff) == 0U && *(at + 9) == 17U) {
		at += 20;
		goto parse_udp;
	}
	return XDP_PASS;
parse_udp:
	udp = at;
	if (*(__be16 *)(at + 2) == bpf_htons(4242U)) {
		at += 8;
		goto parse_KvRequest;
	}
	return XDP_PASS;
parse_KvRequest:
	KvRequest = at;
	verdict = take_kv_request(ctx, frame_size, ipv4, udp, KvRequest, ipv4_rest);
	if (verdict != NOT_TAKEN)
		return verdict;
	return XDP_PASS;
}
