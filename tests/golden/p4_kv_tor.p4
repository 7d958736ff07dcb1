// kv_tor: what tor runs. P4-16 for the v1model architecture.
// Active: the plan runs this program.
// Written by Bertha; changes are lost when it is compiled again.
//   p4c-bm2-ss -o kv_tor.json kv_tor.p4
// kv_tor.p4info.txtpb describes it to a P4Runtime controller. The tables start empty: their entries
// are in kv_tor.entries.json (P4Runtime) and, the same, in kv_tor.commands.txt (simple_switch_CLI).

#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ethertype;
}

header vlan_t {
    bit<3> priority_;
    bit<1> drop_eligible;
    bit<12> id;
    bit<16> ethertype;
}

header ipv4_t {
    bit<4> version;
    bit<4> ihl;
    bit<6> dscp;
    bit<2> ecn;
    bit<16> total_length;
    bit<16> identification;
    bit<1> reserved;
    bit<1> dont_fragment;
    bit<1> more_fragments;
    bit<13> fragment_offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header udp_t {
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> length;
    bit<16> checksum;
}

header KvRequest_t {
    bit<64> request;
    bit<64> client;
    bit<8> op;
    bit<8> flags;
    bit<64> key_;
}

struct headers_t {
    ethernet_t ethernet;
    vlan_t vlan;
    ipv4_t ipv4;
    udp_t udp;
    KvRequest_t KvRequest;
}

struct metadata_t {
    bit<32> to_ip;
    bit<16> to_port;
}

parser FrameParser(packet_in packet, out headers_t hdr, inout metadata_t meta,
            inout standard_metadata_t standard) {
    state start {
        transition parse_ethernet;
    }
    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ethertype) {
            0x800: parse_ipv4;
            0x8100: parse_vlan;
            default: accept;
        }
    }
    state parse_vlan {
        packet.extract(hdr.vlan);
        transition select(hdr.vlan.ethertype) {
            0x800: parse_ipv4;
            default: accept;
        }
    }
    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        transition select(hdr.ipv4.version,
                        hdr.ipv4.ihl,
                        hdr.ipv4.more_fragments,
                        hdr.ipv4.fragment_offset,
                        hdr.ipv4.protocol) {
            (0x4, 0x5, 0x0, 0x0, 0x11): parse_udp;
            default: accept;
        }
    }
    state parse_udp {
        packet.extract(hdr.udp);
        transition select(hdr.udp.dst_port) {
            0x1092: parse_KvRequest;
            default: accept;
        }
    }
    state parse_KvRequest {
        packet.extract(hdr.KvRequest);
        transition accept;
    }
}

// x / 3 for every x: x * (2^66 / 3), rounded up (Granlund and Montgomery, PLDI 1994, theorem 4.2).
bit<64> divide_64_by_3(in bit<64> x) {
    return (bit<64>)(((bit<129>)x * 129w0x15555555555555556) >> 66);
}

bit<64> remainder_64_by_3(in bit<64> x) {
    return x - divide_64_by_3(x) * 3;
}

// The Internet checksum after a value that it covers changed from old to fresh (RFC 1624, equation 3).
bit<16> fix_checksum_32(in bit<16> checksum, in bit<32> old, in bit<32> fresh) {
    bit<32> sum = (bit<32>)(~checksum)
        + (bit<32>)(~old[15:0]) + (bit<32>)fresh[15:0]
        + (bit<32>)(~old[31:16]) + (bit<32>)fresh[31:16];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum[15:0];
}

// As fix_checksum_32, for a checksum that may be absent (0) and that is written as 0xffff when it comes to 0.
bit<16> fix_optional_checksum_32(in bit<16> checksum, in bit<32> old, in bit<32> fresh) {
    bit<16> fixed = fix_checksum_32(checksum, old, fresh);
    return (checksum == 0 ? 16w0 : (fixed == 0 ? 16w0xffff : fixed));
}

// The Internet checksum after a value that it covers changed from old to fresh (RFC 1624, equation 3).
bit<16> fix_checksum_16(in bit<16> checksum, in bit<16> old, in bit<16> fresh) {
    bit<32> sum = (bit<32>)(~checksum)
        + (bit<32>)(~old) + (bit<32>)fresh;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum[15:0];
}

// As fix_checksum_16, for a checksum that may be absent (0) and that is written as 0xffff when it comes to 0.
bit<16> fix_optional_checksum_16(in bit<16> checksum, in bit<16> old, in bit<16> fresh) {
    bit<16> fixed = fix_checksum_16(checksum, old, fresh);
    return (checksum == 0 ? 16w0 : (fixed == 0 ? 16w0xffff : fixed));
}

// kv_request: shard.packet
control kv_request_block(inout headers_t hdr, inout metadata_t meta,
        inout standard_metadata_t standard, inout bool taken) {
    bit<32> index;

    @id(0x01000001) action shard_shards_hit(bit<32> to_ip_value, bit<16> to_port_value) {
        meta.to_ip = to_ip_value;
        meta.to_port = to_port_value;
    }
    @id(0x01000002) action shard_shards_miss() {
        meta.to_ip = 0;
        meta.to_port = 0;
    }
    @id(0x02000001) table shard_shards {
        key = { index: exact; }
        actions = { shard_shards_hit; @defaultonly shard_shards_miss; }
        const default_action = shard_shards_miss();
        size = 64;
    }
    apply {
        if (!taken && hdr.ethernet.isValid() && hdr.ipv4.isValid() && hdr.udp.isValid() && hdr.KvRequest.isValid()) {
            bit<32> step = standard.packet_length - (32w14 + (hdr.vlan.isValid() ? 32w4 : 32w0));
            if ((hdr.ipv4.dst == 32w0xa000001)
                && ((bit<32>)hdr.ipv4.total_length <= step)
                && ((bit<32>)hdr.ipv4.total_length >= 32w28)
                && ((bit<32>)hdr.udp.length <= ((bit<32>)hdr.ipv4.total_length - 32w20))
                && (hdr.udp.length >= 16w34)) {
                taken = true;
                bit<64> step_2 = 64w0xcbf29ce484222325 ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 56);
                bit<64> step_3 = (step_2 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 48);
                bit<64> step_4 = (step_3 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 40);
                bit<64> step_5 = (step_4 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 32);
                bit<64> step_6 = (step_5 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 24);
                bit<64> step_7 = (step_6 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 16);
                bit<64> step_8 = (step_7 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)(hdr.KvRequest.key_ >> 8);
                bit<64> step_9 = (step_8 * 64w0x100000001b3) ^ (bit<64>)(bit<8>)hdr.KvRequest.key_;
                index = (bit<32>)remainder_64_by_3((step_9 * 64w0x100000001b3));
                shard_shards.apply();
                hdr.ipv4.checksum = fix_checksum_32(hdr.ipv4.checksum, hdr.ipv4.dst, meta.to_ip);
                hdr.udp.checksum = fix_optional_checksum_32(hdr.udp.checksum, hdr.ipv4.dst, meta.to_ip);
                hdr.ipv4.dst = meta.to_ip;
                hdr.udp.checksum = fix_optional_checksum_16(hdr.udp.checksum, hdr.udp.dst_port, meta.to_port);
                hdr.udp.dst_port = meta.to_port;
            }
        }
    }
}

// kv_response: shard.undo
control kv_response_block(inout headers_t hdr, inout metadata_t meta,
        inout standard_metadata_t standard, inout bool taken) {
    bool known;

    @id(0x01000003) action shard_back_hit() {}
    @id(0x01000004) action shard_back_miss() {}
    @id(0x02000002) table shard_back {
        key = { hdr.ipv4.src: exact; hdr.udp.src_port: exact; }
        actions = { shard_back_hit; @defaultonly shard_back_miss; }
        const default_action = shard_back_miss();
        size = 64;
    }
    apply {
        if (!taken && hdr.ethernet.isValid() && hdr.ipv4.isValid() && hdr.udp.isValid()) {
            bit<32> step_10 = standard.packet_length - (32w14 + (hdr.vlan.isValid() ? 32w4 : 32w0));
            if (((bit<32>)hdr.ipv4.total_length <= step_10)
                && ((bit<32>)hdr.ipv4.total_length >= 32w28)
                && ((bit<32>)hdr.udp.length <= ((bit<32>)hdr.ipv4.total_length - 32w20))
                && (hdr.udp.length >= 16w8)) {
                taken = true;
                known = shard_back.apply().hit;
                if (known) {
                    hdr.ipv4.checksum = fix_checksum_32(hdr.ipv4.checksum, hdr.ipv4.src, 32w0xa000001);
                    hdr.udp.checksum = fix_optional_checksum_32(hdr.udp.checksum, hdr.ipv4.src, 32w0xa000001);
                    hdr.ipv4.src = 32w0xa000001;
                    hdr.udp.checksum = fix_optional_checksum_16(hdr.udp.checksum, hdr.udp.src_port, 16w4242);
                    hdr.udp.src_port = 16w4242;
                }
            }
        }
    }
}

// The first block whose headers are there and whose guard holds takes the frame; then it goes on its way.
control Pipeline(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    kv_request_block() kv_request;
    kv_response_block() kv_response;

    @id(0x01000005) action send(bit<9> port) { standard.egress_spec = port; }
    @id(0x01000006) action discard() { mark_to_drop(standard); }
    @id(0x01000007) action unknown_station() {}

    @id(0x02000003) table stations {
        key = { hdr.ethernet.dst: exact; }
        actions = { send; discard; @defaultonly unknown_station; }
        const default_action = unknown_station();
        size = 4096;
    }

    @id(0x02000004) table patch {
        key = { standard.ingress_port: exact; }
        actions = { send; discard; }
        default_action = discard();
        size = 512;
    }
    apply {
        bool taken = false;
        kv_request.apply(hdr, meta, standard, taken);
        kv_response.apply(hdr, meta, standard, taken);
        if (!hdr.ethernet.isValid() || !stations.apply().hit) {
            patch.apply();
        }
    }
}

// Checksums are updated for what changed, never computed anew: a broken frame stays broken.
control Unchecked(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control Unsummed(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control PassOn(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}

control FrameDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.vlan);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.udp);
        packet.emit(hdr.KvRequest);
    }
}

V1Switch(FrameParser(), Unchecked(), Pipeline(), PassOn(), Unsummed(), FrameDeparser()) main;
