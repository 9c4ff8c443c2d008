#!/usr/bin/env python3
"""Makes vectors.json: every commitment below the shards, by an implementation that shares no code with ours.

Poseidon over KoalaBear is the textbook permutation (Grassi et al., USENIX Security 2021) with round constants from the
Grain LFSR; BLAKE3 is written from its paper, one chunk after the other; Ed25519 is OpenSSL's (`pip install
cryptography`). The circulant matrices' first rows are parameters of the hash, taken from Plonky3 0.8's p3-koala-bear.

    python3 make.py > vectors.json
"""
import json
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

P = 2**31 - 2**24 + 1

# --- Poseidon over KoalaBear ---

MDS_ROW = {
    16: [1, 1, 51, 1, 11, 17, 2, 1, 101, 63, 15, 2, 67, 22, 13, 3],
    24: [0x2D0AAAAB, 0x64850517, 0x17F5551D, 0x04ECBEB5, 0x6D91A8D5, 0x60703026, 0x18D6F3CA, 0x729601A7,
         0x77CDA9E2, 0x3C0F5038, 0x26D52A61, 0x0360405D, 0x68FC71C8, 0x2495A71D, 0x5D57AFC2, 0x1689DD98,
         0x3C2C3DBE, 0x0C23DC41, 0x0524C7F2, 0x6BE4DF69, 0x0A6E572C, 0x5C7790FA, 0x17E118F6, 0x0878A07F],
}
PARTIAL_ROUNDS = {16: 20, 24: 23}


def grain_constants(width, partial_rounds, full_rounds=8, field_bits=31):
    bits = []
    for value, length in [(1, 2), (0, 4), (field_bits, 12), (width, 12), (full_rounds, 10), (partial_rounds, 10),
                          (2**30 - 1, 30)]:
        bits += [int(bit) for bit in format(value, f"0{length}b")]

    def step():
        bit = bits[62] ^ bits[51] ^ bits[38] ^ bits[23] ^ bits[13] ^ bits[0]
        bits.pop(0)
        bits.append(bit)
        return bit

    for _ in range(160):
        step()

    def element():
        while True:
            number = 0
            for _ in range(field_bits):
                while step() == 0:
                    step()
                number = number << 1 | step()
            if number < P:
                return number

    return [[element() for _ in range(width)] for _ in range(full_rounds + partial_rounds)]


CONSTANTS = {width: grain_constants(width, partial) for width, partial in PARTIAL_ROUNDS.items()}


def permute(state):
    width = len(state)
    row = MDS_ROW[width]
    partial = range(4, 4 + PARTIAL_ROUNDS[width])
    for number, constants in enumerate(CONSTANTS[width]):
        state = [(x + c) % P for x, c in zip(state, constants)]
        state = [pow(x, 3, P) if i == 0 or number not in partial else x for i, x in enumerate(state)]
        state = [sum(row[(j - i) % width] * state[j] for j in range(width)) % P for i in range(width)]
    return state


def compress(values):
    return [(y + x) % P for y, x in zip(permute(values), values)][:8]


# --- BLAKE3 ---

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
CHUNK_START, CHUNK_END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64
M32 = 2**32 - 1


def words(data):
    return [int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4)]


def blake3_compress(chaining, block, counter, length, flags):
    v = chaining + IV[:4] + [counter & M32, counter >> 32, length, flags]

    def g(a, b, c, d, x, y):
        for first, second, m in ((16, 12, x), (8, 7, y)):
            v[a] = (v[a] + v[b] + m) & M32
            v[d] ^= v[a]
            v[d] = (v[d] >> first | v[d] << (32 - first)) & M32
            v[c] = (v[c] + v[d]) & M32
            v[b] ^= v[c]
            v[b] = (v[b] >> second | v[b] << (32 - second)) & M32

    for number in range(7):
        for n, (a, b, c, d) in enumerate([(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                                          (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]):
            g(a, b, c, d, block[2 * n], block[2 * n + 1])
        block = [block[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def blake3(data, start=IV, mode=0):
    def subtree(data, counter, is_root):
        if len(data) <= 1024:
            chaining = start
            blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
            for n, block in enumerate(blocks):
                last = n == len(blocks) - 1
                flags = mode | (CHUNK_START if n == 0 else 0) | (CHUNK_END if last else 0)
                flags |= ROOT if last and is_root else 0
                chaining = blake3_compress(chaining, words(block.ljust(64, b"\0")), counter, len(block), flags)
            return chaining
        chunks = (len(data) - 1) // 1024
        left = 1024 << (chunks.bit_length() - 1)
        children = subtree(data[:left], counter, False) + subtree(data[left:], counter + left // 1024, False)
        return blake3_compress(start, children, 0, 64, mode | PARENT | (ROOT if is_root else 0))

    return b"".join(word.to_bytes(4, "little") for word in subtree(data, 0, True))


def derive_key(context, material):
    return blake3(material, words(blake3(context.encode(), mode=CONTEXT)), MATERIAL)


# The vectors of BLAKE3's own repository, so that this script checks itself.
assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
assert blake3(b"abc").hex() == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
assert derive_key("BLAKE3 2019-12-27 16:29:52 test vectors context", b"").hex() \
    == "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"

# --- Arterial's commitments ---


def reduce(digest):
    return [word % P for word in words(digest)]


def hex_digest(limbs):
    return b"".join(limb.to_bytes(4, "little") for limb in limbs).hex()


def route(device, shards):
    """fmix64 of MurmurHash3, twice."""
    def mix(x):
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            x = ((x ^ x >> 33) * factor) % 2**64
        return x ^ x >> 33

    low, high = int.from_bytes(device[:8], "little"), int.from_bytes(device[8:], "little")
    return mix(low ^ mix(high)) % shards


def fields(n):
    """Device, seq, observed_at_ms and kind of record n."""
    return bytes(range(n, n + 16)), 5 + 1000 * n, 1735689600000 + n, 1 + n


def write_bytes(n, payload):
    """Bytes 32 on of record n, without padding."""
    device, seq, observed_at_ms, kind = fields(n)
    body = device + seq.to_bytes(8, "little") + observed_at_ms.to_bytes(8, "little") + kind.to_bytes(2, "little")
    return body + bytes(2) + len(payload).to_bytes(4, "little") + payload


def canonical(prefix, body):
    return prefix + body + bytes(-len(prefix + body) % 64)


def case(n, payload):
    subject_key = bytes([n]) * 32
    device, seq, observed_at_ms, kind = fields(n)
    slot = 3 * n + 1
    signing = Ed25519PrivateKey.from_private_bytes(bytes([n + 100]) * 32)
    public = signing.public_key().public_bytes_raw()
    salt = blake3(subject_key + device + seq.to_bytes(8, "little") + b"salt/v1\0")
    body = write_bytes(n, payload)
    record = canonical(salt, body)
    digest = reduce(blake3(record))
    head_before = reduce(blake3(b"head before" + bytes([n])))
    times = [observed_at_ms & 0xFFFFFF, observed_at_ms >> 24]
    head = compress(head_before + digest + [1, slot, seq] + times + [kind, 0, 0])
    identity = reduce(blake3(device + b"\x01" + public))
    count = 3 + n
    leaf = compress(head + identity + [2, seq + 1, count, 0, 0, 0, 0, 0])
    signed = b"arterial/write/v1" + body
    mac_key = bytes([n + 50]) * 32
    return {
        "subject_key": subject_key.hex(), "device": device.hex(), "seq": seq, "observed_at_ms": observed_at_ms,
        "kind": kind, "slot": slot, "payload": payload.hex(), "record": record.hex(), "digest": hex_digest(digest),
        "head_before": hex_digest(head_before), "head": hex_digest(head), "public_key": public.hex(),
        "identity": hex_digest(identity), "count": count, "leaf": hex_digest(leaf),
        "node": hex_digest(compress(leaf + head)), "signature": signing.sign(signed).hex(),
        "mac_key": mac_key.hex(), "mac": derive_key("arterial/mac/v1", canonical(mac_key, body)).hex(),
        "host_identity": hex_digest(reduce(blake3(device + b"\x03" + bytes(32)))),
        "shard_of_4096": route(device, 4096),
    }


def bundle(payloads):
    """One signature for all cases."""
    seed, signing = bytes([200]) * 32, Ed25519PrivateKey.from_private_bytes(bytes([201]) * 32)
    blinds = [blake3(seed + n.to_bytes(8, "little") + b"arterial/bundle-blind/v1") for n in range(len(payloads))]
    leaves = [derive_key("arterial/bundle-leaf/v1", canonical(blind, write_bytes(n, payload)))
              for n, (blind, payload) in enumerate(zip(blinds, payloads))]

    def root(nodes):
        """Of the first half, the largest power of two that leaves something, and of the rest."""
        if len(nodes) == 1:
            return nodes[0]
        left = 1 << (len(nodes) - 1).bit_length() - 1
        return blake3(root(nodes[:left]) + root(nodes[left:]))

    def path(nodes, index):
        if len(nodes) == 1:
            return []
        left = 1 << (len(nodes) - 1).bit_length() - 1
        if index < left:
            return path(nodes[:left], index) + [root(nodes[left:])]
        return path(nodes[left:], index - left) + [root(nodes[:left])]

    message = b"arterial/bundle/v1" + len(leaves).to_bytes(4, "little") + root(leaves)
    return {
        "seed": seed.hex(), "public_key": signing.public_key().public_bytes_raw().hex(),
        "signature": signing.sign(message).hex(), "message": message.hex(),
        "blinds": [blind.hex() for blind in blinds], "leaves": [leaf.hex() for leaf in leaves],
        "paths": [[node.hex() for node in path(leaves, index)] for index in range(len(leaves))],
    }


payloads = [b"", b"72 bpm", bytes(range(56)), bytes(57), bytes(i % 251 for i in range(1508)), bytes(i % 251 for i in range(65464))]
vectors = {"cases": [case(n, payload) for n, payload in enumerate(payloads)], "bundle": bundle(payloads)}
# The longest payload is a pattern and would be most of the file.
vectors["cases"][-1].update(payload=None, record=None)
print(json.dumps(vectors, indent=1))
