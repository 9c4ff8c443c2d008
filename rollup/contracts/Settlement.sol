// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Settlement
/// @notice Holds the state root of every block of one deployment. A block is taken only on top of the one before it,
/// and only with a Groth16 proof over BN254 that it moves the one root to the other by the rules.
/// @dev Roots never fork, skip or change: nothing here writes a root but {postBlock}, once per number. There is no
/// owner and no upgrade. What is trusted beyond the proof: until batch proofs are verified inside the block proof, a
/// block with invented accounts would satisfy the circuit, so blocks come from the registered sequencer only. That
/// role posts blocks and names its successor, and can do nothing else.
contract Settlement {
    /// @notice The caller is not the registered sequencer.
    error NotSequencer(address caller);
    /// @notice The caller was not proposed as the next sequencer.
    error NotPendingSequencer(address caller);
    /// @notice Blocks come in order, each once.
    error WrongBlockNumber(uint64 expected, uint64 got);
    /// @notice A root is not below the order of the scalar field, or a coordinate not below that of the base field.
    error NotCanonical(uint256 value);
    /// @notice The proof does not prove this block on top of the contract's own latest root.
    error InvalidProof();

    /// @notice A block was taken.
    event BlockPosted(uint64 indexed number, uint256 stateRoot, uint64 recordCount);
    /// @notice The role of sequencer was handed over.
    event SequencerChanged(address indexed sequencer);

    /// @dev The order of BN254's scalar field (EIP-197).
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev The order of BN254's base field (EIP-197).
    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    // The verification key lies in the code, where a word costs 3 gas instead of the 2,100 of a storage slot.
    uint256 private immutable ALPHA_X;
    uint256 private immutable ALPHA_Y;
    uint256 private immutable BETA_X1;
    uint256 private immutable BETA_X0;
    uint256 private immutable BETA_Y1;
    uint256 private immutable BETA_Y0;
    uint256 private immutable GAMMA_X1;
    uint256 private immutable GAMMA_X0;
    uint256 private immutable GAMMA_Y1;
    uint256 private immutable GAMMA_Y0;
    uint256 private immutable DELTA_X1;
    uint256 private immutable DELTA_X0;
    uint256 private immutable DELTA_Y1;
    uint256 private immutable DELTA_Y0;
    uint256 private immutable IC0_X;
    uint256 private immutable IC0_Y;
    uint256 private immutable IC1_X;
    uint256 private immutable IC1_Y;
    uint256 private immutable IC2_X;
    uint256 private immutable IC2_Y;
    uint256 private immutable IC3_X;
    uint256 private immutable IC3_Y;

    /// @notice Who may post blocks.
    address public sequencer;
    /// @notice The number of the latest block; 0 is genesis.
    /// @dev Shares a slot with the sequencer, so that a block reads and writes one slot for both.
    uint64 public latest;
    /// @notice Who may take over the role of sequencer; zero when nobody was proposed.
    address public pendingSequencer;
    /// @notice The state root after a block; 0 when it has not been posted.
    /// @dev No block has root 0: a root is a Poseidon hash, and nobody knows a preimage of 0.
    mapping(uint64 number => uint256) public stateRoot;

    /// @param vk The verification key as EIP-197 orders coordinates: alpha (x, y), beta, gamma, delta (each x.c1, x.c0,
    /// y.c1, y.c0), then the points of the constant and of the three public inputs (x, y).
    /// @param genesisStateRoot The state before the first block.
    /// @param firstSequencer Who may post blocks.
    constructor(uint256[22] memory vk, uint256 genesisStateRoot, address firstSequencer) {
        if (genesisStateRoot >= R) revert NotCanonical(genesisStateRoot);
        for (uint256 i = 0; i < 22; i++) {
            if (vk[i] >= Q) revert NotCanonical(vk[i]);
        }
        if (firstSequencer == address(0)) revert NotSequencer(firstSequencer);
        (ALPHA_X, ALPHA_Y) = (vk[0], vk[1]);
        (BETA_X1, BETA_X0, BETA_Y1, BETA_Y0) = (vk[2], vk[3], vk[4], vk[5]);
        (GAMMA_X1, GAMMA_X0, GAMMA_Y1, GAMMA_Y0) = (vk[6], vk[7], vk[8], vk[9]);
        (DELTA_X1, DELTA_X0, DELTA_Y1, DELTA_Y0) = (vk[10], vk[11], vk[12], vk[13]);
        (IC0_X, IC0_Y) = (vk[14], vk[15]);
        (IC1_X, IC1_Y) = (vk[16], vk[17]);
        (IC2_X, IC2_Y) = (vk[18], vk[19]);
        (IC3_X, IC3_Y) = (vk[20], vk[21]);
        sequencer = firstSequencer;
        stateRoot[0] = genesisStateRoot;
    }

    /// @notice Takes the next block.
    /// @param number The block's number: one more than {latest}.
    /// @param recordCount Records in the block; proven, and only told on by the event.
    /// @param newStateRoot The state after the block.
    /// @param proof A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y.
    function postBlock(uint64 number, uint64 recordCount, uint256 newStateRoot, uint256[8] calldata proof) external {
        if (msg.sender != sequencer) revert NotSequencer(msg.sender);
        uint64 last = latest;
        uint64 expected = last + 1;
        if (number != expected) revert WrongBlockNumber(expected, number);
        if (newStateRoot >= R) revert NotCanonical(newStateRoot);
        requireCanonical(proof);
        uint256 numbers = (uint256(number) << 64) | recordCount;
        if (!verifies(stateRoot[last], newStateRoot, numbers, proof)) revert InvalidProof();
        latest = number;
        stateRoot[number] = newStateRoot;
        emit BlockPosted(number, newStateRoot, recordCount);
    }

    /// @notice Proposes who takes over the role of sequencer; zero withdraws a proposal.
    function transferSequencer(address next) external {
        if (msg.sender != sequencer) revert NotSequencer(msg.sender);
        pendingSequencer = next;
    }

    /// @notice Takes over the role of sequencer, as proposed.
    function acceptSequencer() external {
        if (msg.sender != pendingSequencer) revert NotPendingSequencer(msg.sender);
        sequencer = msg.sender;
        delete pendingSequencer;
        emit SequencerChanged(msg.sender);
    }

    /// @dev The pairing would refuse such a coordinate too, but at the price of all gas it was given, and it sees A.y
    /// only negated.
    function requireCanonical(uint256[8] calldata proof) private pure {
        bool canonical;
        assembly ("memory-safe") {
            canonical := and(
                and(
                    and(lt(calldataload(proof), Q), lt(calldataload(add(proof, 0x20)), Q)),
                    and(lt(calldataload(add(proof, 0x40)), Q), lt(calldataload(add(proof, 0x60)), Q))
                ),
                and(
                    and(lt(calldataload(add(proof, 0x80)), Q), lt(calldataload(add(proof, 0xa0)), Q)),
                    and(lt(calldataload(add(proof, 0xc0)), Q), lt(calldataload(add(proof, 0xe0)), Q))
                )
            )
        }
        if (canonical) return;
        for (uint256 i = 0; i < 8; i++) {
            if (proof[i] >= Q) revert NotCanonical(proof[i]);
        }
    }

    /// @dev Groth16: e(-A, B) e(alpha, beta) e(L, gamma) e(C, delta) = 1, L = IC0 + s1 IC1 + s2 IC2 + s3 IC3.
    ///
    /// The four pairs lie in memory as the pairing takes them (EIP-197). L is summed up in its place there: the 128
    /// bytes from L on are the two points of an addition (EIP-196), and gamma comes in when L is done.
    ///
    ///     0x000 -A   0x040 B   0x0c0 alpha   0x100 beta   0x180 L   0x1c0 gamma   0x240 C   0x280 delta
    ///     while L is summed up:                           0x180 L   0x1c0 IC     0x200 s
    ///
    /// The precompiles get all gas that is left. A limit at today's prices (EIP-1108) would save gas where a proof has
    /// a point off its curve, but this contract could never take a block again after a rise of those prices (as
    /// EIP-7904 proposes). The sequencer's own gas limit bounds what such a proof costs it.
    function verifies(uint256 s1, uint256 s2, uint256 s3, uint256[8] calldata proof) private view returns (bool ok) {
        uint256 pairs;
        assembly ("memory-safe") {
            pairs := mload(0x40)
            mstore(0x40, add(pairs, 0x300))
        }
        put(pairs, 0x180, IC0_X, IC0_Y);
        ok = addProduct(pairs, IC1_X, IC1_Y, s1);
        ok = addProduct(pairs, IC2_X, IC2_Y, s2) && ok;
        ok = addProduct(pairs, IC3_X, IC3_Y, s3) && ok;
        put(pairs, 0x0c0, ALPHA_X, ALPHA_Y);
        put(pairs, 0x100, BETA_X1, BETA_X0);
        put(pairs, 0x140, BETA_Y1, BETA_Y0);
        put(pairs, 0x1c0, GAMMA_X1, GAMMA_X0);
        put(pairs, 0x200, GAMMA_Y1, GAMMA_Y0);
        put(pairs, 0x280, DELTA_X1, DELTA_X0);
        put(pairs, 0x2c0, DELTA_Y1, DELTA_Y0);
        assembly ("memory-safe") {
            calldatacopy(pairs, proof, 0xc0)
            // No point of the curve has y = 0, so Q - y is canonical wherever A is one; A at infinity fails here.
            mstore(add(pairs, 0x20), sub(Q, mload(add(pairs, 0x20))))
            calldatacopy(add(pairs, 0x240), add(proof, 0xc0), 0x40)
            ok := and(ok, staticcall(gas(), 8, pairs, 0x300, 0, 0x20))
            ok := and(ok, mload(0))
        }
    }

    /// @dev L += scalar * (x, y).
    function addProduct(uint256 pairs, uint256 x, uint256 y, uint256 scalar) private view returns (bool ok) {
        put(pairs, 0x1c0, x, y);
        assembly ("memory-safe") {
            let sum := add(pairs, 0x180)
            let product := add(pairs, 0x1c0)
            mstore(add(pairs, 0x200), scalar)
            ok := staticcall(gas(), 7, product, 0x60, product, 0x40)
            ok := and(ok, staticcall(gas(), 6, sum, 0x80, sum, 0x40))
        }
    }

    function put(uint256 pairs, uint256 offset, uint256 first, uint256 second) private pure {
        assembly ("memory-safe") {
            mstore(add(pairs, offset), first)
            mstore(add(add(pairs, offset), 0x20), second)
        }
    }
}
