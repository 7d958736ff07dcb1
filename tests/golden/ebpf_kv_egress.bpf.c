/* kv_egress: what the kernel of h1 runs at TC egress: shard.undo.
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

struct shard_back_row {
	__u32 k0; __u32 k1;
};
struct {
	__u32 count;
	struct shard_back_row rows[64];
} shard_back SEC(".data.shard_back") = {
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

/* kv_response: shard.undo */
static __always_inline int take_kv_response(struct __sk_buff *ctx, __u32 frame_size, unsigned char *ipv4,
		unsigned char *udp, __u32 ipv4_at)
{
	if (!((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) <= (frame_size - ipv4_at)))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) >= 28U))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(udp + 4)) <= ((__u32)bpf_ntohs(*(__be16 *)(ipv4 + 2)) - 20U)))
		return NOT_TAKEN;
	if (!((__u32)bpf_ntohs(*(__be16 *)(udp + 4)) >= 8U))
		return NOT_TAKEN;
	__u32 key = bpf_ntohl(*(__be32 *)(ipv4 + 12));
	HIDE(key);
	__u32 key_2 = (__u32)bpf_ntohs(*(__be16 *)(udp + 0));
	HIDE(key_2);
	struct shard_back_row *shard_back_row = 0;
	for (__u32 turn = 0; turn < 64 && turn < shard_back.count; turn++) {
		if (shard_back.rows[turn].k0 == key && shard_back.rows[turn].k1 == key_2) {
			shard_back_row = &shard_back.rows[turn];
			break;
		}
	}
	__u32 known = shard_back_row != 0;
	if (known) {
		__u64 ipv4_delta = 0;
		__u64 udp_delta = 0;
		ipv4_delta += change_32(*(__be32 *)(ipv4 + 12), bpf_htonl(0xa000001U));
		udp_delta += change_32(*(__be32 *)(ipv4 + 12), bpf_htonl(0xa000001U));
		*(__be32 *)(ipv4 + 12) = bpf_htonl(0xa000001U);
		udp_delta += change_16(*(__be16 *)(udp + 0), bpf_htons(4242U));
		*(__be16 *)(udp + 0) = bpf_htons(4242U);
		fix_checksum(ipv4 + 10, ipv4_delta);
		fix_optional_checksum(udp + 6, udp_delta);
	}
	return TC_ACT_UNSPEC;
}

SEC("tc")
int kv_egress(struct __sk_buff *ctx)
{
	unsigned char *data = (unsigned char *)(long)ctx->data;
	unsigned char *end = (unsigned char *)(long)ctx->data_end;
	__u32 frame_size = ctx->len;

	if (end - data < (frame_size < 46U ? frame_size : 46U)) {
		bpf_skb_pull_data(ctx, frame_size < 46U ? frame_size : 46U);
		data = (unsigned char *)(long)ctx->data;
		end = (unsigned char *)(long)ctx->data_end;
	}
	unsigned char *ipv4 = 0;
	unsigned char *udp = 0;
	__u32 ipv4_at = 0;
	unsigned char *at = data;
	__u32 at_offset = 0;
	int verdict;

	if (at + 42 > end) {
		return TC_ACT_UNSPEC;
	}
	if (*(__be16 *)(at + 12) == bpf_htons(2048U)) {
		at += 14;
		at_offset += 14;
		goto parse_ipv4;
	}
	if (*(__be16 *)(at + 12) == bpf_htons(33024U)) {
		at += 14;
		at_offset += 14;
		goto parse_vlan;
	}
	return TC_ACT_UNSPEC;
parse_vlan:
	if (at + 32 > end) {
		return TC_ACT_UNSPEC;
	}
	if (*(__be16 *)(at + 2) == bpf_htons(2048U)) {
		at += 4;
		at_offset += 4;
		goto parse_ipv4;
	}
	return TC_ACT_UNSPEC;
parse_ipv4:
	ipv4 = at;
	ipv4_at = at_offset;
	if (*(at + 0) == 69U && ((__u32)bpf_ntohs(*(__be16 *)(at + 6)) & 0x3fff) == 0U && *(at + 9) == 17U) {
		at += 20;
		at_offset += 20;
		goto parse_udp;
	}
	return TC_ACT_UNSPEC;
parse_udp:
	udp = at;
	verdict = take_kv_response(ctx, frame_size, ipv4, udp, ipv4_at);
	if (verdict != NOT_TAKEN)
		return verdict;
	return TC_ACT_UNSPEC;
}
